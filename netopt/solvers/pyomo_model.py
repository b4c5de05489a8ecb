"""Writes a `MilpModel` as a Pyomo model, and reads its columns back."""

from __future__ import annotations

from typing import Any

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray


def build(model: MilpModel) -> Any:
    """Return a Pyomo ``ConcreteModel`` with columns ``x`` and rows ``row``; linear rows that have a term only.

    Pyomo has no array interface, so this loops over columns and rows; coefficients go in as whole lists.
    """
    import pyomo.environ as pyo
    from pyomo.core.expr import LinearExpression

    pyomo_model = pyo.ConcreteModel()
    domains = [pyo.Integers if integral else pyo.Reals for integral in model.integral.tolist()]
    lower, upper = _sides(model.column_lower), _sides(model.column_upper)
    pyomo_model.x = pyo.Var(
        range(model.column_count),
        domain=lambda _, column: domains[column],
        bounds=lambda _, column: (lower[column], upper[column]),
    )
    columns = np.array(list(pyomo_model.x.values()), dtype=object)

    def expression(chosen: Any, coefficients: FloatArray, constant: float = 0.0) -> Any:
        return LinearExpression(
            constant=constant, linear_coefs=coefficients.tolist(), linear_vars=columns[chosen].tolist()
        )

    matrix, low, high = model.matrix, _sides(model.row_lower), _sides(model.row_upper)
    start = matrix.indptr

    def row(_: Any, i: int) -> Any:
        entries = slice(start[i], start[i + 1])
        return low[i], expression(matrix.indices[entries], matrix.data[entries]), high[i]

    written = (np.diff(start) > 0) & (np.isfinite(model.row_lower) | np.isfinite(model.row_upper))
    pyomo_model.row = pyo.Constraint(np.flatnonzero(written).tolist(), rule=row)
    costs = np.flatnonzero(model.objective)
    pyomo_model.objective = pyo.Objective(
        expr=expression(costs, model.objective[costs], model.objective_constant),
        sense=pyo.maximize if model.maximize else pyo.minimize,
    )
    return pyomo_model


def _sides(values: FloatArray) -> list[float | None]:
    """Return bounds with None for no bound."""
    return [value if finite else None for value, finite in zip(values.tolist(), np.isfinite(values), strict=True)]


def column_values(pyomo_model: Any, model: MilpModel) -> FloatArray:
    """Return the values of the columns; one that no row mentions has none in Pyomo, so it takes the value nearest 0."""
    values = np.array([np.nan if x.value is None else x.value for x in pyomo_model.x.values()], dtype=np.float64)
    lower = np.where(model.integral, np.ceil(model.column_lower), model.column_lower)
    upper = np.where(model.integral, np.floor(model.column_upper), model.column_upper)
    return np.where(np.isnan(values), np.clip(0.0, lower, upper), values)
