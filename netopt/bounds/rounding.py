r"""Rounding error of float64 sums, in the notation of Higham, *Accuracy and Stability of Numerical Algorithms*, ch. 3.

A sum of k products evaluated in any order, with or without fused operations, differs from its exact value by at most
``gamma_k * sum |a_i b_i|`` with ``gamma_k = k u / (1 - k u)``, plus k times the smallest normal number where products
underflow (or are flushed to zero).
"""

from __future__ import annotations

import numpy as np

from netopt.arrays import FloatArray

#: Half the distance from 1 to the next float64.
UNIT_ROUNDOFF = 2.0**-53
#: The smallest normal float64: more than any underflow can lose.
TINY = float(np.finfo(np.float64).tiny)


def gamma(terms: int) -> float:
    """Return ``k u / (1 - k u)`` for a sum of `terms` products."""
    return terms * UNIT_ROUNDOFF / (1.0 - terms * UNIT_ROUNDOFF)


def middle_and_radius(lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (middle, radius) with ``[lower, upper]`` inside ``middle -+ radius`` exactly, whatever the scales."""
    middle = 0.5 * lower + 0.5 * upper
    # Subtraction errs by one unit roundoff at most and never underflows inexactly, hence the factor.
    radius = np.maximum(upper - middle, middle - lower) * (1.0 + 4.0 * UNIT_ROUNDOFF)
    return middle, radius


def sound_lower(value: FloatArray) -> FloatArray:
    """Return `value` with whatever overflowed or is undefined replaced by -inf."""
    return np.where(np.isfinite(value), value, -np.inf)


def sound_upper(value: FloatArray) -> FloatArray:
    """Return `value` with whatever overflowed or is undefined replaced by +inf."""
    return np.where(np.isfinite(value), value, np.inf)
