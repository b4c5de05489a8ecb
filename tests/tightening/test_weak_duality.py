"""Bounds from multipliers hold for any multipliers, and are tight for optimal ones."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog

from formulations.milp import MilpBuilder
from netopt.solvers.lp_session import LpSession
from netopt.tightening.weak_duality import SafeBounds


def random_model(seed):
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(5, 6)) * (generator.random((5, 6)) < 0.6)
    builder = MilpBuilder()
    x = builder.add_columns(6, lower=-1.0, upper=generator.random(6))
    inside = matrix @ np.full(6, -0.2)
    lower = np.where(generator.random(5) < 0.3, -np.inf, inside - generator.random(5))
    upper = np.where(generator.random(5) < 0.3, np.inf, inside + generator.random(5))
    builder.add_rows((x, sparse.csr_array(matrix)), lower=lower, upper=upper)
    return builder.build(), generator


def optimum(model, coefficients):
    stacked = np.concatenate([model.matrix.toarray(), -model.matrix.toarray()])
    sides = np.concatenate([model.row_upper, -model.row_lower])
    kept = np.isfinite(sides)
    bounds = np.stack([model.column_lower, model.column_upper], axis=1)
    return linprog(coefficients, A_ub=stacked[kept], b_ub=sides[kept], bounds=bounds).fun


@pytest.mark.parametrize("seed", range(8))
def test_any_multipliers_give_a_bound_and_the_optimal_ones_the_optimum(seed):
    model, generator = random_model(seed)
    safe, session = SafeBounds(model), LpSession(model, lambda: False)
    for _ in range(5):
        coefficients = generator.normal(size=6)
        best = optimum(model, coefficients)
        duals = session.minimize(np.arange(6), coefficients)
        assert safe.minimum(np.arange(6), coefficients, duals) == pytest.approx(best, abs=1e-8)
        assert safe.minimum(np.arange(6), coefficients, duals) <= best + 1e-9
        assert safe.minimum(np.arange(6), coefficients, generator.normal(size=5) * 3.0) <= best + 1e-9


def test_overflowing_multipliers_prove_nothing():
    model, _ = random_model(0)
    assert SafeBounds(model).minimum(np.arange(6), np.ones(6), np.full(5, 1e308)) == -np.inf


def test_a_stopped_solve_still_yields_valid_multipliers_or_none():
    model, _ = random_model(1)
    session = LpSession(model, lambda: True)
    coefficients = np.array([1.0, -2.0, 3.0, -1.0, 0.5, 1.0])
    duals = session.minimize(np.arange(6), coefficients)
    if duals is not None:
        assert SafeBounds(model).minimum(np.arange(6), coefficients, duals) <= optimum(model, coefficients) + 1e-9
