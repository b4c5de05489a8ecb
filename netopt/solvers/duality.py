"""The dual bound that row multipliers prove by weak duality, whatever a solver claims of them."""

from __future__ import annotations

import math

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray


def lagrangian_bound(model: MilpModel, row_duals: FloatArray) -> float:
    r"""Return the bound on the optimum of an LP that any row multipliers prove by weak duality.

    With minimization and multipliers y, every feasible x has

    .. math:: c^T x \ge \sum_i (y_i > 0\ ?\ y_i b^l_i : y_i b^u_i) + \sum_j \min(d_j l_j, d_j u_j), \quad d = c - A^T y.

    Multipliers need not be optimal or even dual feasible; those on an infinite side are dropped. The result is
    infinite where a reduced cost points to an infinite column bound. Rounding of the sums themselves (relative 1e-13)
    is not accounted for.

    Parameters
    ----------
    model : integrality is ignored, so the bound holds for the MILP as well.
    row_duals : (rows,) float64, signed as in `SolverResult.row_duals`.

    Returns
    -------
    float
        A lower bound when minimizing, an upper bound when maximizing.

    Examples
    --------
    >>> import numpy as np
    >>> from formulations.milp import MilpBuilder
    >>> from netopt.solvers.duality import lagrangian_bound
    >>> builder = MilpBuilder()
    >>> x = builder.add_columns(2, upper=1.0)
    >>> _ = builder.add_rows((x, np.ones(2)), upper=0.5)
    >>> builder.set_objective(x, np.ones(2), maximize=True)
    >>> model = builder.build()
    >>> lagrangian_bound(model, np.ones(2)), lagrangian_bound(model, np.zeros(2))
    (1.0, 2.0)
    """
    sign = -1.0 if model.maximize else 1.0
    duals = sign * row_duals
    side = np.where(duals > 0.0, model.row_lower, model.row_upper)
    duals = np.where(np.isfinite(side), duals, 0.0)
    reduced = sign * model.objective - model.matrix.T @ duals
    bound = np.where(reduced > 0.0, model.column_lower, model.column_upper)
    rows = duals != 0.0
    columns = reduced != 0.0
    total = duals[rows] @ side[rows] + reduced[columns] @ bound[columns]
    return float(sign * total) + model.objective_constant


def lp_dual_bound(model: MilpModel, row_duals: FloatArray, claimed: float) -> float:
    """Return the dual bound of an LP solved to optimality: what its duals prove, else the value `claimed`.

    Duals are dual feasible within a tolerance only, so they prove nothing on free columns; there the solver is trusted.
    """
    proved = lagrangian_bound(model, row_duals)
    return proved if math.isfinite(proved) else claimed
