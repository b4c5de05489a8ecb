"""Writes a `MilpModel` into a gurobipy model with matrix calls."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from formulations.milp import IndicatorRows, MilpModel, Sos1Sets
from netopt.arrays import BoolArray, FloatArray, IntArray


def counted_size(model: MilpModel) -> tuple[int, int, int]:
    """Return the columns, rows with indicators, and SOS1 sets that Gurobi counts for its licence."""
    indicators = 0
    if model.indicators is not None:
        indicators = int(np.isfinite(model.indicators.lower).sum() + np.isfinite(model.indicators.upper).sum())
    columns = model.column_count + int(np.count_nonzero(_ranged(model)))
    return columns, model.row_count + indicators, 0 if model.sos1 is None else model.sos1.count


def build(gurobi: Any, model: MilpModel, start: FloatArray | None) -> tuple[Any, Any]:
    """Write `model` and `start`; return the columns and the rows (None without any).

    A ranged row becomes an equality with a column that holds its activity, as Gurobi's own do.
    """
    ranged = np.flatnonzero(_ranged(model))
    binary = model.integral & (model.column_lower >= 0.0) & (model.column_upper <= 1.0)
    x = gurobi.addMVar(
        model.column_count,
        lb=model.column_lower,
        ub=model.column_upper,
        obj=model.objective,
        vtype=np.where(binary, "B", np.where(model.integral, "I", "C")),
    )
    activity = gurobi.addMVar(ranged.size, lb=model.row_lower[ranged], ub=model.row_upper[ranged])
    gurobi.ModelSense = -1 if model.maximize else 1
    gurobi.ObjCon = model.objective_constant
    rows = _add_rows(gurobi, model, ranged, x, activity) if model.row_count else None
    if model.sos1 is not None:
        _add_sos1(gurobi, model.sos1, x)
    if model.indicators is not None:
        _add_indicators(gurobi, model.indicators, x)
    if start is not None:
        x.Start = start
        activity.Start = (model.matrix @ start)[ranged]
    return x, rows


def _ranged(model: MilpModel) -> BoolArray:
    lower, upper = model.row_lower, model.row_upper
    ranged: BoolArray = np.isfinite(lower) & np.isfinite(upper) & (lower != upper)
    return ranged


def _add_rows(gurobi: Any, model: MilpModel, ranged: IntArray, x: Any, activity: Any) -> Any:
    import gurobipy

    equal = model.row_lower == model.row_upper
    equal[ranged] = True
    below = np.isfinite(model.row_upper)
    right = np.where(below, model.row_upper, model.row_lower)
    right[ranged] = 0.0
    entries = (np.full(ranged.size, -1.0), (ranged, np.arange(ranged.size)))
    activities = sparse.csr_array(entries, shape=(model.row_count, ranged.size))
    matrix = sparse.hstack([model.matrix, activities], format="csr") if ranged.size else model.matrix
    sense = np.where(equal, "=", np.where(below, "<", ">"))
    return gurobi.addMConstr(matrix, gurobipy.hstack([x, activity]), sense, right)


def _add_sos1(gurobi: Any, sets: Sos1Sets, x: Any) -> None:
    import gurobipy

    gurobi.update()
    variables = np.array(x.tolist(), dtype=object)
    for first, last in zip(sets.start[:-1].tolist(), sets.start[1:].tolist(), strict=True):  # gurobipy adds one a call
        members = variables[sets.columns[first:last]].tolist()
        gurobi.addSOS(gurobipy.GRB.SOS_TYPE1, members, sets.weights[first:last].tolist())


def _add_indicators(gurobi: Any, rows: IndicatorRows, x: Any) -> None:
    """Add each finite side of the rows, those of one side and one value of the binary in one call."""
    for active in (True, False):
        lower = np.flatnonzero((rows.active == active) & np.isfinite(rows.lower))
        upper = np.flatnonzero((rows.active == active) & np.isfinite(rows.upper))
        if lower.size:
            gurobi.addGenConstrIndicator(x[rows.binary[lower]], active, rows.matrix[lower] @ x >= rows.lower[lower])
        if upper.size:
            gurobi.addGenConstrIndicator(x[rows.binary[upper]], active, rows.matrix[upper] @ x <= rows.upper[upper])
