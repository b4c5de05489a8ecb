r"""Bounds of inputs that only rows on several inputs imply.

A row :math:`\sum_j a_j x_j \le b` with :math:`a_k > 0` gives :math:`x_k \le (b - \sum_{j \ne k} \min a_j x_j) / a_k`
once the others are bounded, and a lower bound where :math:`a_k < 0` (Savelsbergh, "Preprocessing and probing techniques
for mixed integer programming problems", 1994).
"""

from __future__ import annotations

import numpy as np

from netopt.arrays import FloatArray, sparse

_UNIT = 2.0**-53


def close_open_sides(
    matrix: sparse.csr_array, bound: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return bounds whose infinite entries are replaced by what ``matrix @ x <= bound`` implies, where it implies any.

    What is implied is rounded outwards: every x that satisfies the rows and the given bounds stays inside.

    Parameters
    ----------
    matrix, bound : rows (k, n) without stored zeros, and (k,).
    low, high : (n,) float64, infinite where open.
    """
    low, high = low.copy(), high.copy()
    column, value = matrix.indices, matrix.data
    row = np.repeat(np.arange(bound.size), np.diff(matrix.indptr))
    upwards = value > 0.0
    relative_error = (np.diff(matrix.indptr) + 4.0) * 2.0 * _UNIT
    open_sides = -1
    while open_sides != (open_sides := int(np.isinf(low).sum() + np.isinf(high).sum())):
        least = value * np.where(upwards, low[column], high[column])
        unbounded = np.isinf(least)
        known = np.where(unbounded, 0.0, least)
        others_unbounded = np.bincount(row, unbounded, bound.size)[row] > unbounded
        total = np.bincount(row, known, bound.size)
        error = relative_error * (np.bincount(row, np.abs(known), bound.size) + np.abs(bound))
        with np.errstate(over="ignore", invalid="ignore"):
            limit = (bound[row] - (total[row] - known) + error[row]) / value
        limit = np.where(others_unbounded | ~np.isfinite(limit), np.where(upwards, np.inf, -np.inf), limit)
        implied_high, implied_low = np.full(high.size, np.inf), np.full(low.size, -np.inf)
        np.minimum.at(implied_high, column[upwards], np.nextafter(limit[upwards], np.inf))
        np.maximum.at(implied_low, column[~upwards], np.nextafter(limit[~upwards], -np.inf))
        high, low = np.where(np.isinf(high), implied_high, high), np.where(np.isinf(low), implied_low, low)
    return low, high
