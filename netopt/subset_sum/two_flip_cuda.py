"""The best flip of one or two elements, on a GPU: the same answers as `netopt.subset_sum.two_flip`, bit for bit.

The Gram matrix is symmetric, so its upper half is read, once for all subsets of a problem: 2 n (n + 64) bytes. With few
subsets that is what bounds a sweep (device memory, or the second-level cache where all problems' matrices fit it); a
score is four instructions, so with about eight subsets and more the arithmetic units bound it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from netopt.arrays import array_namespace
from netopt.errors import InvalidOptionError
from netopt.gpu.kernels import Kernels

KERNELS = Kernels(Path(__file__).with_name("two_flip.cu"))
#: What `best` holds before anything is found: rank of +inf, no elements.
NOTHING = 0xFF80_0000_0000_0000
_THREADS = 256
_TILE = 64
_BLOCKS = 2048  # enough for every multiprocessor of the largest GPUs to hold several, and to come out even
_MOST_ELEMENTS = 1 << 16


def best_two_flip(gram: Any, delta: Any, sign: Any, fixed_size: bool) -> tuple[Any, Any, Any]:
    """Return the best flip of one or two elements: see `netopt.subset_sum.two_flip.best_two_flip`.

    Parameters
    ----------
    gram, delta, sign : CuPy arrays of float32, contiguous.

    Raises
    ------
    InvalidOptionError
        They are of another type, or there are more than 65536 elements.
    """
    check(gram, delta, sign)
    xp = array_namespace(gram, delta, sign)
    best = xp.full(delta.shape[:2], NOTHING, dtype=np.uint64)
    sweep(gram, delta, sign, fixed_size, best)
    change = xp.empty(best.shape, dtype=np.float32)
    first, second = xp.empty(best.shape, dtype=np.int64), xp.empty(best.shape, dtype=np.int64)
    if best.size:
        blocks = -(-best.size // _THREADS)
        KERNELS.launch("unpack", blocks, _THREADS, (best, change, first, second, np.int64(best.size)))
    return change, first, second


def check(gram: Any, *state: Any) -> None:
    """Check what the kernels take.

    Raises
    ------
    InvalidOptionError
        An array is not of contiguous float32, or there are more than 65536 elements.
    """
    for array in (gram, *state):
        if array.dtype != np.float32 or not array.flags.c_contiguous:
            raise InvalidOptionError(
                f"an array of {array.dtype} was given for a search on the GPU; give contiguous arrays of float32"
            )
    if gram.shape[-1] > _MOST_ELEMENTS:
        raise InvalidOptionError(f"a search on the GPU takes up to {_MOST_ELEMENTS} elements, but got {gram.shape[-1]}")


def sweep(gram: Any, delta: Any, sign: Any, fixed_size: bool, best: Any) -> None:
    """Lower `best` (p, r) uint64, rank of a change above and both elements below, to the best flip of each subset."""
    problems, restarts, size = delta.shape
    if 0 in delta.shape:
        return
    bands = -(-size // _TILE)
    tiles = bands * (bands + 1) // 2
    slices = min(tiles, max(1, _BLOCKS // problems))
    arguments = (gram, delta, sign, best, np.int32(size), np.int32(restarts), np.int32(slices))
    KERNELS.launch("sweep_swaps" if fixed_size else "sweep_any", problems * slices, _THREADS, arguments)
