from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from netopt.bounds.dual_simplex import Programs, solve


def random_programs(seed: int) -> Programs:
    """Programs with duplicate and zero rows, fixed variables, zero objectives and sides of many sizes."""
    generator = np.random.default_rng(seed)
    count, variables, rows = 6, int(generator.integers(1, 9)), int(generator.integers(0, 14))
    matrix = generator.integers(-3, 4, size=(count, rows, variables)) * 10.0 ** generator.integers(-2, 3)
    if rows > 2:
        matrix[:, 1], matrix[:, 2] = matrix[:, 0], 0.0
    side = generator.integers(-2, 6, size=(count, rows)) * generator.choice([0.5, 1.0, 10.0])
    side[:, 2:3] = np.abs(side[:, 2:3])
    lower = generator.integers(-3, 1, size=(count, variables)) / 2.0
    upper = lower + generator.integers(0, 4, size=(count, variables)) / 2.0
    objective = generator.integers(-3, 4, size=(count, variables)) / 2.0
    return Programs(objective, matrix, side, lower, upper)


@given(seed=st.integers(0, 10**6))
def test_bounds_are_those_of_highs(seed: int) -> None:
    programs = random_programs(seed)
    answer = solve(programs)
    bound = programs.proven(programs.objective, answer.multipliers)
    contradiction = programs.proven(np.zeros_like(programs.objective), answer.multipliers)
    assert (answer.multipliers >= 0.0).all()
    for k in range(programs.count):
        box = list(zip(programs.lower[k], programs.upper[k], strict=True))
        matrix, side = (programs.matrix[k], programs.side[k]) if programs.side.size else (None, None)
        peer = linprog(-programs.objective[k], matrix, side, bounds=box)
        assert peer.status in (0, 2)
        assert bool(answer.empty[k]) == (peer.status == 2)
        if peer.status == 2:
            assert contradiction[k] < 0.0
        else:
            assert -peer.fun - 1e-7 <= bound[k] <= -peer.fun + 1e-7
            assert programs.objective[k] @ answer.point[k] == pytest.approx(-peer.fun, abs=1e-7)


@given(seed=st.integers(0, 10**6))
def test_any_multipliers_prove_a_bound(seed: int) -> None:
    programs = random_programs(seed)
    generator = np.random.default_rng(seed)
    multipliers = generator.exponential(size=programs.side.shape) * generator.choice([0.0, 1e-8, 1.0, 1e8])
    bound = programs.proven(programs.objective, multipliers)
    share = generator.uniform(size=(programs.count, 400, programs.variables))
    points = programs.lower[:, None] + share * (programs.upper - programs.lower)[:, None]
    inside = (np.matmul(points, programs.matrix.transpose(0, 2, 1)) <= programs.side[:, None]).all(axis=2)
    value = np.where(inside, (points * programs.objective[:, None]).sum(axis=2), -np.inf)
    assert (value <= bound[:, None]).all()


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20)
def test_a_program_is_left_once_its_bound_is_good_enough(seed: int) -> None:
    programs = random_programs(seed)
    best = programs.proven(programs.objective, solve(programs).multipliers)
    enough = best + 0.5
    early = solve(programs, enough=enough)
    assert (programs.proven(programs.objective, early.multipliers) <= np.maximum(enough, best) + 1e-7).all()


def test_a_basis_that_is_none_is_replaced() -> None:
    one = np.ones((1, 2))
    programs = Programs(one, np.array([[[2.0, 1.0]]]), np.array([[1.0]]), 0.0 * one, one)
    answer = solve(programs, basis=np.array([[0, 2]]))  # both sides of the same variable
    assert programs.proven(one, answer.multipliers)[0] == pytest.approx(1.0)


def test_what_overflows_proves_nothing() -> None:
    one = np.ones((1, 1))
    programs = Programs(one, 1e300 * one[:, None], 1e300 * one, -1e300 * one, 1e300 * one)
    assert programs.proven(one, 1e300 * one)[0] == np.inf
