r"""What a subset sum of random vectors can reach at best, to be read beside what a search has reached.

For n NSN vectors :math:`v_j = u_j w_j` (all numbers standard normal) and a target near the origin, the expected number
of subsets within :math:`\epsilon` of it in every entry is 1 at about

.. math:: \epsilon = \tfrac12 \sqrt{\pi n / 2} \; \sqrt e \; 2^{-n / D} ,

as a random subset's sum has variance n / 4 an entry; the exact optimum lies within a factor 1.2 to 1.7 of it where it
is known (D <= 6). No search can be expected to do better, and for large D none comes near it: see docs/tickets.md.
"""

from __future__ import annotations

import math

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.errors import InputError
from netopt.subset_sum.pairs import best_pair

#: Most candidates whose subsets are all tried: two lists of 2^13 sums.
MOST_EXACT = 26


def first_moment_limit(count: float, entries: int) -> float:
    """Return the largest deviation of an entry below which no subset is to be expected.

    Parameters
    ----------
    count : number n of candidates.
    entries : dimension D.

    Examples
    --------
    >>> round(first_moment_limit(32, 8), 4)
    0.3653
    """
    return 0.5 * math.sqrt(math.pi * count / 2.0) * math.exp(0.5 - count / entries * math.log(2.0))


def exact_subsets(candidates: FloatArray, targets: FloatArray, size: int | None = None) -> BoolArray:
    """Return the subsets closest to their targets, (p, n), by meeting in the middle.

    Parameters
    ----------
    candidates : (p, n, D) with n at most 26.
    targets : (p, D).
    size : number of elements of every subset, or None for any.

    Raises
    ------
    InputError
        There are too many candidates.
    """
    problems, count, _ = candidates.shape
    if count > MOST_EXACT:
        raise InputError(f"the best of 2^{count} subsets cannot be found by trying; give at most {MOST_EXACT} vectors")
    half = count // 2
    left, right = all_subsets(half), all_subsets(count - half)
    least, best = np.full(problems, np.inf), np.zeros((problems, count), dtype=bool)
    for first, second in [(left, right)] if size is None else _of_size(left, right, size):
        error, i, j = best_pair(
            first.astype(np.float64) @ candidates[:, :half], second.astype(np.float64) @ candidates[:, half:], targets
        )
        found = np.concatenate([first[i], second[j]], axis=1)
        best = np.where((error < least)[:, None], found, best)
        least = np.minimum(error, least)
    return best


def _of_size(left: BoolArray, right: BoolArray, size: int) -> list[tuple[BoolArray, BoolArray]]:
    """Return the parts of two lists of subsets that have `size` elements together."""
    shares = range(max(0, size - right.shape[1]), min(size, left.shape[1]) + 1)
    return [(left[left.sum(axis=1) == share], right[right.sum(axis=1) == size - share]) for share in shares]


def all_subsets(count: int) -> BoolArray:
    """Return all subsets of `count` elements, (2^count, count); the first element changes fastest."""
    return (np.arange(1 << count)[:, None] >> np.arange(count) & 1).astype(bool)
