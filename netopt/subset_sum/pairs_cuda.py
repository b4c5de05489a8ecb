r"""Meeting in the middle on a GPU: the same question as `netopt.subset_sum.pairs`, answered exactly.

The answer is the least of all :math:`\sum_d ((y_d - z_d) + x_d)^2` as float32 sums them. The expansion of the square is
computed first, with D fused products and one minimum a pair, and only excludes pairs: it errs by less than
:math:`8 (D + 4) u (|x|^2 + |y - z|^2 + e)/2`, u = 2^-24, and pairs within that of the best distance e known are summed
from their differences. The arithmetic units bound it: (D + 1) instructions a pair, and those of the loop and of shared
memory's reads shared by the left vectors of a thread.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from netopt.arrays import array_namespace
from netopt.errors import InvalidOptionError
from netopt.gpu.kernels import Kernels
from netopt.subset_sum.two_flip_cuda import NOTHING

_THREADS = 128
_BLOCKS = 2112  # 16 for each multiprocessor of the largest GPUs
_REGISTERS = 72  # for the left vectors of a thread
_SHARED_VALUES = 8192
_MOST_VECTORS = 1 << 16
_MOST_DIMENSIONS = 96  # more would not stay in registers


def best_pair(left: Any, right: Any, target: Any) -> tuple[Any, Any, Any]:
    """Return the pair whose sum comes closest to each target: see `netopt.subset_sum.pairs.best_pair`.

    Parameters
    ----------
    left, right, target : CuPy arrays of float32, contiguous; the sums of their squares do not overflow.

    Returns
    -------
    error, i, j : the least error of all pairs as float32 sums it; of equal ones the smallest (i, j).

    Raises
    ------
    InvalidOptionError
        They are of another type, a list has more than 65536 vectors, or those have more than 96 dimensions.
    """
    _check(left, right, target)
    xp = array_namespace(left, right, target)
    problems, lefts, dimension = left.shape
    rights = right.shape[1]
    best = xp.full(problems, NOTHING, dtype=np.uint64)
    error = xp.empty(problems, dtype=np.float32)
    i, j = xp.empty(problems, dtype=np.int64), xp.empty(problems, dtype=np.int64)
    if problems:
        kernels, per_thread, tile = _compiled_for(dimension)
        left_parts = -(-lefts // (_THREADS * per_thread))
        right_parts = min(-(-rights // tile), max(1, _BLOCKS // (problems * left_parts)))
        sizes = (np.int32(lefts), np.int32(rights), np.int32(left_parts), np.int32(right_parts))
        kernels.launch("closest", problems * left_parts * right_parts, _THREADS, (left, right, target, best, *sizes))
        blocks = -(-problems // _THREADS)
        kernels.launch("unpack_pairs", blocks, _THREADS, (best, error, i, j, np.int32(problems)))
    return error, i, j


@cache
def _compiled_for(dimension: int) -> tuple[Kernels, int, int]:
    """Return the kernels for vectors of a dimension, the left vectors of a thread, and the right vectors of a tile."""
    per_thread = max(1, min(8, _REGISTERS // dimension))
    stride = -(-(dimension + 1) // 4) * 4
    tile = min(128, _SHARED_VALUES // stride)
    path = Path(__file__).with_name("pairs.cu")
    return Kernels(path, DIMENSION=dimension, LEFTS=per_thread, TILE=tile), per_thread, tile


def _check(left: Any, right: Any, target: Any) -> None:
    for array in (left, right, target):
        if array.dtype != np.float32 or not array.flags.c_contiguous:
            raise InvalidOptionError(
                f"an array of {array.dtype} was given for a search on the GPU; give contiguous arrays of float32"
            )
    if max(left.shape[1], right.shape[1]) > _MOST_VECTORS:
        found = max(left.shape[1], right.shape[1])
        raise InvalidOptionError(f"pairs on the GPU are of lists of up to {_MOST_VECTORS} vectors, but one has {found}")
    if not 1 <= left.shape[2] <= _MOST_DIMENSIONS:
        raise InvalidOptionError(
            f"pairs on the GPU are of vectors of 1 to {_MOST_DIMENSIONS} dimensions, but these have {left.shape[2]};"
            " compute on the CPU"
        )
