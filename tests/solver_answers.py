"""What holds of every answer of a MILP solver, and a small model to ask about."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse

from formulations.milp import MilpBuilder, MilpModel
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import SolverResult, Termination
from netopt.solvers.solver import MilpSolver


def solve(solver: MilpSolver, model: MilpModel, **parameters: object) -> SolverResult:
    result = solver.solve(model, SolverParameters(**parameters))  # type: ignore[arg-type] # by name
    check(model, result)
    return result


def check(model: MilpModel, result: SolverResult) -> None:
    """Nothing a result says contradicts the rest of it or the model."""
    assert (result.point is None) == (result.primal_bound is None)
    if result.point is not None:
        scale = 1.0 + float(np.abs(model.matrix.data).max(initial=0.0))
        assert model.violation(result.point) <= 1e-5 * scale
        assert result.primal_bound == pytest.approx(model.objective_value(result.point), rel=1e-12, abs=1e-12)
        assert (result.dual_bound - result.primal_bound) * (1 if model.maximize else -1) >= -1e-5 * (
            1 + abs(result.primal_bound)
        )
    assert not math.isnan(result.dual_bound)
    assert result.solver
    assert result.seconds >= 0.0


def check_optimum(model: MilpModel, result: SolverResult, optimum: float, gap: float = 1e-4) -> None:
    check(model, result)
    assert result.termination is Termination.OPTIMAL, result
    slack = 2e-5 * (1.0 + abs(optimum)) + gap * abs(optimum)
    assert result.primal_bound == pytest.approx(optimum, abs=slack)
    assert result.dual_bound == pytest.approx(optimum, abs=slack)
    assert (result.dual_bound - optimum) * (1.0 if model.maximize else -1.0) >= -1e-5 * (1.0 + abs(optimum))


def one_row(
    lower: float, upper: float, *, integral: bool = False, maximize: bool = True, cost: tuple[float, float] = (1.0, 1.0)
) -> MilpModel:
    builder = MilpBuilder()
    x = builder.add_columns(2, upper=3.0, integral=integral)
    builder.add_rows((x, sparse.csr_array(np.array([[1.0, 2.0]]))), lower=lower, upper=upper)
    builder.set_objective(x, np.array(cost), constant=0.25, maximize=maximize)
    return builder.build()
