r"""The best flip of one or two elements of many subsets, scored on the Gram matrix.

A subset is :math:`s \in \{0, 1\}^n`, its squared error :math:`|z - \sum_i s_i v_i|^2`. With
:math:`\sigma_i = 1 - 2 s_i`, the residual r and the Gram matrix :math:`G_{ij} = \langle v_i, v_j \rangle`,

.. math:: \delta_i = G_{ii} - 2 \sigma_i \langle v_i, r \rangle, \qquad
    \delta_{ij} = \delta_i + \delta_j + 2 \sigma_i \sigma_j G_{ij}

are the changes of the squared error when i, or i and j, flip. One sweep takes the least over all of them: n (n + 1) / 2
scores for each subset, none of which is stored. The work reads the Gram matrix once for all subsets of a problem.
CuPy arrays go to `netopt.subset_sum.two_flip_cuda`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netopt.arrays import FloatArray, IntArray, array_namespace

_BLOCK_VALUES = 1 << 16  # scores held at a time: they stay in the second-level cache


def best_two_flip(gram: Any, delta: Any, sign: Any, fixed_size: bool) -> tuple[Any, Any, Any]:
    """Return the best flip of one or two elements: (change, first, second), each (p, r).

    Parameters
    ----------
    gram : (p, n, n) float64 or float32, symmetric.
    delta : (p, r, n) change of the squared error when one element flips, of gram's type; +inf forbids an element.
    sign : (p, r, n) 1 where the element is out, -1 where it is in; of gram's type.
    fixed_size : swaps only: one element comes in and one goes out.

    Returns
    -------
    change : (p, r) the least change, +inf where no flip is allowed.
    first, second : (p, r) int64, first <= second; equal where one element flips. Of equal changes the smallest
        (first, second) counts; (0, 0) where no flip is allowed.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.subset_sum.two_flip import best_two_flip
    >>> gram, delta, sign = np.eye(2)[None], np.array([[[1.0, -2.0]]]), np.ones((1, 1, 2))
    >>> [values.item() for values in best_two_flip(gram, delta, sign, fixed_size=False)]
    [-2.0, 1, 1]
    """
    if array_namespace(gram) is np:
        return _best_two_flip(gram, delta, sign, fixed_size)
    from netopt.subset_sum.two_flip_cuda import best_two_flip as best_two_flip_cuda

    found: tuple[Any, Any, Any] = best_two_flip_cuda(gram, delta, sign, fixed_size)
    return found


def _best_two_flip(
    gram: FloatArray, delta: FloatArray, sign: FloatArray, fixed_size: bool
) -> tuple[FloatArray, IntArray, IntArray]:
    """Go through blocks of rows of the upper triangle, all subsets at once."""
    problems, restarts, size = delta.shape
    change = np.full((problems, restarts), np.inf, dtype=gram.dtype)
    first = np.zeros((problems, restarts), dtype=np.int64)
    second = np.zeros((problems, restarts), dtype=np.int64)
    rows = max(1, _BLOCK_VALUES // max(1, problems * restarts * size))
    for begin in range(0, size, rows):
        end = min(begin + rows, size)
        scores = _scores(gram, delta, sign, slice(begin, end), fixed_size)
        flat = scores.reshape(problems, restarts, -1)
        best = np.argmin(flat, axis=-1)
        least = np.take_along_axis(flat, best[..., None], axis=-1)[..., 0]
        better = least < change
        change = np.where(better, least, change)
        first = np.where(better, begin + best // (size - begin), first)
        second = np.where(better, begin + best % (size - begin), second)
    return change, first, second


def _scores(gram: FloatArray, delta: FloatArray, sign: FloatArray, rows: slice, fixed_size: bool) -> FloatArray:
    """Return the changes of pairs (i, j >= i) for some rows i: (p, r, rows, n - start of rows); +inf for j < i."""
    begin = rows.start
    count = rows.stop - begin
    product = sign[:, :, rows, None] * sign[:, :, None, begin:]
    scores: FloatArray = product * gram[:, None, rows, begin:]
    scores *= 2.0
    scores += delta[:, :, rows, None]
    scores += delta[:, :, None, begin:]
    if fixed_size:
        scores[product > 0.0] = np.inf
    block = np.arange(count)
    scores[:, :, block, block] = np.inf if fixed_size else delta[:, :, rows]
    below, left = np.tril_indices(count, -1)
    scores[:, :, below, left] = np.inf
    return scores
