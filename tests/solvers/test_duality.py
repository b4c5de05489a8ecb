"""Any multipliers prove a bound; the optimal ones prove the optimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from milp_models import best_value, random_milp

from formulations.milp import MilpBuilder
from netopt.solvers.duality import lagrangian_bound, lp_dual_bound
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination


@given(seed=st.integers(0, 10**6))
def test_random_multipliers_never_exclude_the_optimum(seed: int) -> None:
    model = random_milp(seed)
    optimum = best_value(model)
    if optimum is None:
        return
    rng = np.random.default_rng(seed)
    multipliers = rng.normal(size=model.row_count) * rng.choice([0.0, 1.0, 50.0], model.row_count)
    bound = lagrangian_bound(model, multipliers)
    assert (bound - optimum) * (1.0 if model.maximize else -1.0) >= -1e-7 * (1.0 + abs(optimum))


@given(seed=st.integers(0, 10**6))
def test_the_duals_of_an_lp_prove_its_optimum(seed: int) -> None:
    model = random_milp(seed)
    result = Highs().solve(model, SolverParameters())
    if result.row_duals is None:
        assert model.integral.any() or result.termination is Termination.INFEASIBLE
        return
    assert lagrangian_bound(model, result.row_duals) == pytest.approx(result.primal_bound, rel=1e-6, abs=1e-6)


def test_a_reduced_cost_on_a_free_column_proves_nothing() -> None:
    builder = MilpBuilder()
    x = builder.add_columns(1, lower=-np.inf)
    builder.add_rows((x, np.ones(1)), upper=2.0)
    builder.set_objective(x, np.ones(1), maximize=True)
    model = builder.build()
    assert lagrangian_bound(model, np.ones(1)) == 2.0
    assert lagrangian_bound(model, np.array([1.0 - 1e-9])) == np.inf
    assert lp_dual_bound(model, np.array([1.0 - 1e-9]), 2.0) == 2.0
