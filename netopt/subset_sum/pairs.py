r"""Meeting in the middle: the pair of two lists of vectors whose sum comes closest to a target.

.. math:: \min_{i, j} |x_i + y_j - z|^2, \qquad
    |x_i + y_j - z|^2 = |x_i|^2 + |y_j - z|^2 + 2 \langle x_i, y_j - z \rangle .

The scores of a million pairs are one matrix product of blocks that stay in the cache; only the least is kept. The
expansion cancels where the sum is close, so it only finds candidates: the best of every block is scored again by its
differences, and those decide. CuPy arrays go to `netopt.subset_sum.pairs_cuda`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netopt.arrays import FloatArray, IntArray, array_namespace

_BLOCK_VALUES = 1 << 16  # scores held at a time: they stay in the second-level cache


def best_pair(left: Any, right: Any, target: Any) -> tuple[Any, Any, Any]:
    """Return the pair whose sum comes closest to each target: (error, i, j), each (p,).

    Parameters
    ----------
    left : (p, a, D) float64 or float32, finite, a >= 1.
    right : (p, b, D) of the same type, b >= 1.
    target : (p, D) of the same type.

    Returns
    -------
    error : (p,) squared distance |left_i + right_j - target|^2, summed from the differences.
    i, j : (p,) int64. The pair is the closest but for the rounding of |x|^2 + |y|^2 + 2 <x, y> in the type given; of
        equal scores the smallest (i, j) counts.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.subset_sum.pairs import best_pair
    >>> left, right = np.array([[[0.0], [4.0]]]), np.array([[[0.0], [1.0], [2.0]]])
    >>> [values.item() for values in best_pair(left, right, np.array([[5.5]]))]
    [0.25, 1, 1]
    """
    if array_namespace(left) is np:
        return _best_pair(left, right, target)
    from netopt.subset_sum.pairs_cuda import best_pair as best_pair_cuda

    found: tuple[Any, Any, Any] = best_pair_cuda(left, right, target)
    return found


def _best_pair(left: FloatArray, right: FloatArray, target: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Take as many problems at a time as fit one block."""
    problems, count = left.shape[0], left.shape[1] * right.shape[1]
    step = max(1, _BLOCK_VALUES // count)
    chunks = [slice(begin, begin + step) for begin in range(0, problems, step)]
    found = [_best_pair_of_chunk(left[chunk], right[chunk], target[chunk]) for chunk in chunks]
    error, i, j = (np.concatenate(values) for values in zip(*found, strict=True))
    return error, i, j


def _best_pair_of_chunk(
    left: FloatArray, right: FloatArray, target: FloatArray
) -> tuple[FloatArray, IntArray, IntArray]:
    problems, lefts, _ = left.shape
    rights = right.shape[1]
    missing = right - target[:, None]
    columns = np.concatenate(
        [missing, np.ones((problems, rights, 1), left.dtype), np.square(missing).sum(-1, keepdims=True)], axis=-1
    ).swapaxes(1, 2)
    rows = np.concatenate([2 * left, np.square(left).sum(-1, keepdims=True), np.ones_like(left[..., :1])], axis=-1)
    every = np.arange(problems)
    error = np.full(problems, np.inf, dtype=left.dtype)
    first = np.zeros(problems, dtype=np.int64)
    second = np.zeros(problems, dtype=np.int64)
    step = max(1, _BLOCK_VALUES // rights)
    for begin in range(0, lefts, step):
        scores = (rows[:, begin : begin + step] @ columns).reshape(problems, -1)
        best = np.argmin(scores, axis=-1)
        i, j = begin + best // rights, best % rights
        distance = np.square(left[every, i] + missing[every, j]).sum(-1)
        better = distance < error
        error = np.where(better, distance, error)
        first, second = np.where(better, i, first), np.where(better, j, second)
    return error, first, second
