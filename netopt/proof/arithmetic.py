r"""Whole-array float64 arithmetic whose results are rounded outward, after Higham, *Accuracy and Stability*, chapter 3.

A sum of k products in any order differs from its exact value by at most ``gamma_k * sum |a_i b_i|`` plus k times the
smallest normal number, ``gamma_k = k u / (1 - k u)``. Sums without negative terms are off by at most a factor
``1 + gamma_k``, so that multiplying by ``1 + 4 k u`` makes upper bounds of them.
"""

from __future__ import annotations

import numpy as np

from netopt.arrays import FloatArray

#: Half the distance from 1 to the next float64.
UNIT = 2.0**-53
#: The smallest normal float64; no underflow loses more.
TINY = float(np.finfo(np.float64).tiny)


def relative(terms: int) -> float:
    """Return at least ``gamma_k``, for sums of at most 2^40 terms."""
    return 1.001 * terms * UNIT


def raised(value: FloatArray, terms: int) -> FloatArray:
    """Return upper bounds of what was computed as sums of up to `terms` products, none of them negative."""
    return value * (1.0 + 4.0 * terms * UNIT) + terms * TINY


def middle_and_radius(lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (middle, radius) so that ``middle -+ radius`` contains ``[lower, upper]``."""
    middle = 0.5 * lower + 0.5 * upper
    radius = np.maximum(upper - middle, middle - lower)
    return middle, radius * (1.0 + 4.0 * UNIT)


def reach(lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Return the largest absolute value in ``[lower, upper]``."""
    largest: FloatArray = np.maximum(np.abs(lower), np.abs(upper))
    return largest


def dot(rows: FloatArray, vectors: FloatArray) -> FloatArray:
    """Return ``rows[i] . vectors[i]``, or ``rows[i] . vectors[0]`` where there is one vector, (p,)."""
    if len(vectors) == 1:
        shared: FloatArray = rows @ vectors[0]
        return shared
    each: FloatArray = np.einsum("pk,pk->p", rows, vectors)
    return each
