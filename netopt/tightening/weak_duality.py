r"""Lower bounds that row multipliers prove, with outward rounding.

A solver's objective value is not a bound: its duals are feasible within a tolerance only. By weak duality any
multipliers y prove :math:`c^T x \ge y \cdot b + \min_{l \le x \le u} (c - A^T y) x`, whatever they come from (Neumaier
and Shcherbina, *Safe bounds in linear and mixed-integer linear programming*, Math. Program. 99, 2004).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray, IntArray
from netopt.bounds.rounding import TINY, gamma
from netopt.solvers.duality import lagrangian_bound

#: Roundings in a coefficient or side that a formulation computes from bounds (quotients and products of them).
_COEFFICIENT_ROUNDINGS = 8


class SafeBounds:
    """Rebuilds sound bounds over one model from multipliers."""

    def __init__(self, model: MilpModel) -> None:
        self._model = replace(model, maximize=False, objective_constant=0.0)
        self._absolute = abs(model.matrix)
        self._reach = np.maximum(np.abs(model.column_lower), np.abs(model.column_upper))
        sides = np.abs(np.stack([model.row_lower, model.row_upper]))
        self._side = np.where(np.isfinite(sides), sides, 0.0).max(axis=0, initial=0.0)
        self._terms = model.row_count + model.column_count + 2 * _COEFFICIENT_ROUNDINGS

    def minimum(self, columns: IntArray, coefficients: FloatArray, row_duals: FloatArray) -> float:
        """Return a sound lower bound of ``coefficients @ x[columns]`` over the model's linear relaxation.

        The rows are taken to hold for the exact network up to `_COEFFICIENT_ROUNDINGS` roundings of each coefficient;
        these, and the rounding of the sums of the bound itself, are subtracted. The result is -inf where they overflow.
        """
        objective = np.zeros(self._model.column_count)
        objective[columns] = coefficients
        with np.errstate(over="ignore", invalid="ignore"):
            value = lagrangian_bound(replace(self._model, objective=objective), row_duals)
            size = np.abs(row_duals)
            weight = np.abs(objective) + self._absolute.T @ size
            error = gamma(self._terms) * (size @ self._side + weight @ self._reach) + self._terms * TINY
            bound = value - 4.0 * error
        return float(bound) if np.isfinite(bound) else -np.inf
