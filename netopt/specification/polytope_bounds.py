r"""Cheap valid bounds over a polytope, for many objectives at once, without a solver.

For any multipliers :math:`\lambda` (one a row; positive ones price the upper side, negative ones the lower side)

.. math:: \max_{x \in P} c x \;\le\; g(\lambda) = \sum_i \max(\lambda_i r^u_i, \lambda_i r^l_i)
          + \max_{l \le x \le u} (c - A^T \lambda) x ,

weak duality. g is convex and piecewise linear; along one multiplier its minimum is found by sorting the breakpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netopt.arrays import FloatArray

if TYPE_CHECKING:
    from netopt.specification.polytope import Polytope

_SWEEPS = 6
_PROPAGATIONS = 3
#: See `propagated_box`.
MARGIN = 2e-9


def dual_bound(polytope: Polytope, coefficients: FloatArray, multipliers: FloatArray) -> FloatArray:
    """Return g(multipliers) for each objective: (k, n), (k, rows) -> (k,).

    A multiplier that prices an infinite side is taken as zero.
    """
    sides = np.where(multipliers > 0.0, polytope.row_upper, polytope.row_lower)
    usable = np.isfinite(sides)
    multipliers = np.where(usable, multipliers, 0.0)
    prices = (multipliers * np.where(usable, sides, 0.0)).sum(axis=1)
    rest = coefficients - (polytope.matrix.T @ multipliers.T).T
    middle, radius = (polytope.high + polytope.low) / 2.0, (polytope.high - polytope.low) / 2.0
    return np.asarray(prices + rest @ middle + np.abs(rest) @ radius)


def descend_multipliers(polytope: Polytope, coefficients: FloatArray) -> FloatArray:
    """Return multipliers (k, rows) by exact descent along one row at a time; optimal for a single row."""
    rows = polytope.row_lower.size
    multipliers = np.zeros((coefficients.shape[0], rows))
    rest = coefficients.copy()
    for _ in range(1 if rows == 1 else _SWEEPS):
        before = multipliers.copy()
        for row in range(rows):
            entries = slice(polytope.matrix.indptr[row], polytope.matrix.indptr[row + 1])
            columns, values = polytope.matrix.indices[entries], polytope.matrix.data[entries]
            without = rest[:, columns] + multipliers[:, [row]] * values
            multipliers[:, row] = _best_multiplier(polytope, row, without)
            rest[:, columns] = without - multipliers[:, [row]] * values
        if np.array_equal(before, multipliers):
            break
    return multipliers


def _best_multiplier(polytope: Polytope, row: int, without: FloatArray) -> FloatArray:
    """Return the minimiser of g along one row; `without` is ``c - A^T lambda`` on its columns without this row."""
    entries = slice(polytope.matrix.indptr[row], polytope.matrix.indptr[row + 1])
    columns, values = polytope.matrix.indices[entries], polytope.matrix.data[entries]
    low, high = polytope.low[columns], polytope.high[columns]
    largest = float(np.maximum(values * low, values * high).sum())
    breakpoints = without / values
    order = np.argsort(breakpoints, axis=1, kind="stable")
    breakpoints = np.take_along_axis(breakpoints, order, axis=1)
    slope = np.cumsum((np.abs(values) * (high - low))[order], axis=1) - largest
    upper = np.zeros(without.shape[0])
    lower = np.zeros(without.shape[0])
    if columns.size and np.isfinite(polytope.row_upper[row]):
        upper = _first_rise(breakpoints, slope, largest, float(polytope.row_upper[row]))
    if columns.size and np.isfinite(polytope.row_lower[row]):
        lower = _first_rise(breakpoints, slope, largest, float(polytope.row_lower[row]))
    return np.where(upper > 0.0, upper, np.where(lower < 0.0, lower, 0.0))


def _first_rise(breakpoints: FloatArray, slope: FloatArray, largest: float, side: float) -> FloatArray:
    """Return the breakpoint after which ``slope + side`` is no longer negative."""
    if side >= largest:
        return np.full(breakpoints.shape[0], -np.inf)
    rises = slope + side >= 0.0
    first = np.where(rises.any(axis=1), rises.argmax(axis=1), breakpoints.shape[1] - 1)
    return np.asarray(np.take_along_axis(breakpoints, first[:, None], axis=1)[:, 0])


def propagated_box(polytope: Polytope) -> tuple[FloatArray, FloatArray]:
    """Return a box around the polytope: the given one, tightened by each row with the other inputs at their best.

    Tightened sides are moved out by `MARGIN` of the rows' sums: more than their rounding errors and than what members
    of a polytope without interior may miss a row by.
    """
    low, high = polytope.low.copy(), polytope.high.copy()
    coo = polytope.matrix.tocoo()
    kept = coo.data != 0.0
    row, column, value = coo.coords[0][kept], coo.coords[1][kept], coo.data[kept]
    count = polytope.row_lower.size
    size = np.bincount(row, np.abs(value) * np.maximum(np.abs(low), np.abs(high))[column], minlength=count)
    for _ in range(_PROPAGATIONS):
        if (low > high).any():
            return polytope.low, polytope.high
        small, large = (
            np.minimum(value * low[column], value * high[column]),
            np.maximum(value * low[column], value * high[column]),
        )
        most = polytope.row_upper[row] - (np.bincount(row, small, minlength=count)[row] - small)
        least = polytope.row_lower[row] - (np.bincount(row, large, minlength=count)[row] - large)
        margin = MARGIN * (size[row] + np.where(np.isfinite(most), np.abs(most), 0.0))
        margin = margin + MARGIN * np.where(np.isfinite(least), np.abs(least), 0.0)
        first, second = (least - margin) / value, (most + margin) / value
        np.maximum.at(low, column, np.minimum(first, second))
        np.minimum.at(high, column, np.maximum(first, second))
    return (low, high) if (low <= high).all() else (polytope.low, polytope.high)
