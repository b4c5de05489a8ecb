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


def exact_subsets(candidates: FloatArray, targets: FloatArray) -> BoolArray:
    """Return the subsets closest to their targets, (p, n), by meeting in the middle.

    Parameters
    ----------
    candidates : (p, n, D) with n at most 26.
    targets : (p, D).

    Raises
    ------
    InputError
        There are too many candidates.
    """
    count = candidates.shape[1]
    if count > MOST_EXACT:
        raise InputError(f"the best of 2^{count} subsets cannot be found by trying; give at most {MOST_EXACT} vectors")
    half = count // 2
    left, right = all_subsets(half), all_subsets(count - half)
    left_sums, right_sums = (
        left.astype(np.float64) @ candidates[:, :half],
        right.astype(np.float64) @ candidates[:, half:],
    )
    _, i, j = best_pair(left_sums, right_sums, targets)
    return np.concatenate([left[i], right[j]], axis=1)


def all_subsets(count: int) -> BoolArray:
    """Return all subsets of `count` elements, (2^count, count); the first element changes fastest."""
    return (np.arange(1 << count)[:, None] >> np.arange(count) & 1).astype(bool)
