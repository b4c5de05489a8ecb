"""What every registered solver must do, and `ChildSolver` around one of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from milp_models import (
    best_value,
    hard_knapsack,
    knapsack_optimum,
    random_milp,
    small_knapsack,
)
from scipy import sparse
from solver_answers import check, check_optimum, one_row, solve

from formulations.milp import MilpBuilder, MilpModel
from netopt.errors import InputError, InvalidOptionError, UnsupportedModelError
from netopt.solvers.child import ChildSolver
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.registry import SOLVERS
from netopt.solvers.result import Termination
from netopt.solvers.solver import MilpSolver

UNBOUNDED = (Termination.UNBOUNDED, Termination.INFEASIBLE_OR_UNBOUNDED)


def test_it_says_what_it_is(solver: MilpSolver) -> None:
    assert solver.version()[0].isdigit()
    assert solver.name in SOLVERS
    assert solver.availability(one_row(0.0, 1.0)).usable


@pytest.mark.parametrize(
    ("model", "optimum"),
    [
        (one_row(-np.inf, 4.0), 3.75),
        (one_row(1.0, 4.0, maximize=False), 0.75),
        (one_row(3.0, 3.0), 3.25),
        (one_row(-np.inf, np.inf), 6.25),
        (one_row(1.0, 2.0, cost=(0.0, 0.0)), 0.25),
        (one_row(0.5, 4.5, integral=True), 3.25),
        (one_row(0.5, 4.5, integral=True, maximize=False), 1.25),
        (one_row(-np.inf, 4.5, integral=True, cost=(0.0, 0.0)), 0.25),
    ],
)
def test_known_optimum(solver: MilpSolver, model: MilpModel, optimum: float) -> None:
    check_optimum(model, solve(solver, model), optimum)


@pytest.mark.parametrize("integral", [False, True])
def test_free_columns_and_columns_and_rows_without_coefficients(solver: MilpSolver, integral: bool) -> None:
    builder = MilpBuilder()
    x = builder.add_columns(2, lower=-np.inf, upper=np.inf, integral=integral)
    builder.add_columns(1, lower=2.0, upper=5.0)
    builder.add_rows((x, np.ones(2)), lower=np.array([-7.0, -np.inf]), upper=np.array([np.inf, 4.0]))
    builder.add_rows(lower=np.array([-1.0, -np.inf]), upper=np.array([0.0, 2.0]))
    builder.set_objective(x, np.array([1.0, -2.0]))
    model = builder.build()
    check_optimum(model, solve(solver, model), -15.0)


def test_no_rows_and_no_columns(solver: MilpSolver) -> None:
    builder = MilpBuilder()
    check_optimum(builder.build(), solve(solver, builder.build()), 0.0)
    x = builder.add_columns(3, lower=-1.0, upper=2.5, integral=True)
    builder.set_objective(x, np.array([1.0, -1.0, 0.0]), constant=1.0, maximize=True)
    check_optimum(builder.build(), solve(solver, builder.build()), 4.0)
    nothing = MilpBuilder()
    nothing.add_rows(lower=np.array([1.0]))
    assert solve(solver, nothing.build()).termination is Termination.INFEASIBLE


@pytest.mark.parametrize("maximize", [True, False])
@pytest.mark.parametrize("kind", ["rows", "integers", "empty row", "column"])
def test_infeasible(solver: MilpSolver, kind: str, maximize: bool) -> None:
    builder = MilpBuilder()
    x = builder.add_columns(2, upper=np.array([1.0, -1.0 if kind == "column" else 1.0]), integral=kind == "integers")
    if kind == "rows":
        builder.add_rows((x, np.ones(2)), lower=np.array([2.0, -np.inf]), upper=np.array([np.inf, 1.0]))
    elif kind == "integers":
        builder.add_rows((x, sparse.csr_array(np.array([[1.0, 1.0]]))), lower=0.25, upper=0.75)
    elif kind == "empty row":
        builder.add_rows(lower=np.array([1.0]))
    builder.set_objective(x, np.ones(2), maximize=maximize)
    result = solve(solver, builder.build())
    assert result.termination is Termination.INFEASIBLE, result
    assert result.point is None
    assert result.dual_bound == (-np.inf if maximize else np.inf)  # the optimum over nothing


@pytest.mark.parametrize("integral", [False, True])
@pytest.mark.parametrize("maximize", [True, False])
def test_unbounded(solver: MilpSolver, maximize: bool, integral: bool) -> None:
    builder = MilpBuilder()
    x = builder.add_columns(2, lower=-np.inf, integral=integral)
    builder.add_rows((x, sparse.csr_array(np.array([[1.0, -1.0]]))), lower=-1.0, upper=1.0)
    builder.set_objective(x, np.ones(2), maximize=maximize)
    result = solve(solver, builder.build())
    assert result.termination in UNBOUNDED, result
    assert result.dual_bound == (np.inf if maximize else -np.inf)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), plain=st.booleans())
def test_enumeration_agrees(solver: MilpSolver, seed: int, plain: bool) -> None:
    model = random_milp(seed)
    optimum, result = best_value(model), solve(solver, model, plain=plain)
    if optimum is None:
        assert result.termination is Termination.INFEASIBLE, result
    else:
        check_optimum(model, result, optimum)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), sos1=st.booleans())
def test_enumeration_agrees_on_sos1_sets_and_indicators(solver: MilpSolver, seed: int, sos1: bool) -> None:
    if not solver.capabilities.row_kinds:
        pytest.skip(f"{solver.name} takes linear rows only")
    model = random_milp(seed, sos1=sos1, indicators=not sos1)
    optimum, result = best_value(model), solve(solver, model)
    if optimum is None:
        assert result.termination is Termination.INFEASIBLE, result
    else:
        check_optimum(model, result, optimum)


@pytest.mark.parametrize("kind", ["sos1", "indicator"])
def test_row_kinds_it_does_not_take_are_refused_with_alternatives(solver: MilpSolver, kind: str) -> None:
    builder = MilpBuilder()
    x = builder.add_columns(2, upper=1.0, integral=True)
    builder.set_objective(x, np.array([1.0, 3.0]), maximize=True)
    if kind == "sos1":
        builder.add_sos1(x[None, :])
    else:
        builder.add_indicators(x[:1], False, (x[1:], np.ones(1)), upper=0.0)
    model = builder.build()
    if kind in solver.capabilities.row_kinds:
        check_optimum(model, solve(solver, model), 3.0 if kind == "sos1" else 4.0)
        return
    with pytest.raises(UnsupportedModelError, match=r"gurobi or scip; or take big-m, partition or multiple-choice"):
        solver.solve(model, SolverParameters())


@pytest.mark.parametrize("seed", range(6))
def test_the_dual_bound_holds_within_a_wide_gap(solver: MilpSolver, seed: int) -> None:
    model, optimum = small_knapsack(seed), knapsack_optimum(seed)
    check_optimum(model, solve(solver, model, relative_gap=0.2), optimum, gap=0.21)
    check_optimum(model, solve(solver, model, relative_gap=0.0, absolute_gap=15.0), optimum, gap=15.0 / abs(optimum))
    check_optimum(model, solve(solver, model, relative_gap=0.0, absolute_gap=0.0), optimum, gap=0.0)


def test_a_start_counts(solver: MilpSolver) -> None:
    model, optimum = small_knapsack(0), knapsack_optimum(0)
    best = solve(solver, model).point
    assert best is not None
    start = np.rint(best)
    result = solver.solve(model, SolverParameters(objective_limit=optimum), start=start)
    check(model, result)
    assert result.primal_bound == optimum
    result = solver.solve(hard_knapsack(), SolverParameters(time_limit=0.2), start=np.zeros(60))
    check(hard_knapsack(), result)
    assert result.primal_bound is not None
    assert result.primal_bound >= 7.0
    infeasible = solver.solve(model, SolverParameters(), start=np.ones(12))
    check_optimum(model, infeasible, optimum)
    with pytest.raises(InputError, match="12 finite values"):
        solver.solve(model, SolverParameters(), start=np.zeros(5))


def test_unknown_options_and_bad_values_are_refused(solver: MilpSolver) -> None:
    model = one_row(0.0, 1.0, integral=True)
    for name, value in (("no_such_option", 3), ("no_such_option", "yes")):
        with pytest.raises(InvalidOptionError, match=r"no_such_option.*(3|yes)"):
            solver.solve(model, SolverParameters(options={name: value}))
    bad = {
        "highs": [("presolve", "maybe"), ("mip_heuristic_effort", 7.0), ("time_limit", 3.0)],
        "gurobi": [("Presolve", 17), ("Presolve", "maybe"), ("Presolve", 0.5), ("TimeLimit", 3.0)],
        "scip": [("presolving/maxrounds", -7), ("presolving/maxrounds", 1.5), ("limits/time", 3.0)],
        "pyomo:cbc": [("preprocess", "maybe"), ("maxSolutions", "x"), ("cutoff", "x"), ("sec", 3.0)],
    }
    for name, value in bad[solver.name]:
        with pytest.raises(InvalidOptionError, match=name):
            solver.solve(model, SolverParameters(options={name: value}))
    good = {"highs": ("presolve", "off"), "gurobi": ("Presolve", 0), "scip": ("presolving/maxrounds", 0)}
    name, value = good.get(solver.name, ("preprocess", "off"))
    check_optimum(model, solve(solver, model, options={name: value}), 1.25)


@pytest.mark.parametrize(
    ("name", "value"),
    [("time_limit", -1.0), ("threads", 0), ("relative_gap", np.nan), ("seed", 2**40), ("bound_limit", np.nan)],
)
def test_bad_parameters_are_refused(solver: MilpSolver, name: str, value: float) -> None:
    with pytest.raises(InvalidOptionError, match=name):
        solver.solve(one_row(0.0, 1.0), SolverParameters(**{name: value}))  # type: ignore[arg-type] # one of them


def test_broken_models_are_refused(solver: MilpSolver) -> None:
    model = one_row(0.0, 1.0)
    broken = replace(model, objective=np.array([np.nan, 1.0]))
    with pytest.raises(InputError, match="objective"):
        solver.solve(broken, SolverParameters())
    with pytest.raises(InputError, match="nan"):
        solver.solve(replace(model, row_upper=np.array([np.nan])), SolverParameters())


def test_row_duals_are_signed_as_documented(solver: MilpSolver) -> None:
    for maximize in (True, False):
        model = one_row(1.0, 4.0, maximize=maximize)
        result = solve(solver, model)
        if result.row_duals is None:
            pytest.skip(f"{solver.name} gives no row duals")
        moved = one_row(1.01, 4.01, maximize=maximize)
        slope = (best_value(moved) or 0.0) - (best_value(model) or 0.0)
        assert result.row_duals == pytest.approx([slope / 0.01], abs=1e-6)
        assert result.row_duals[0] > 0.0  # minimizing: at its lower side; maximizing: at its upper


def test_the_number_of_threads_and_the_seed_may_change_within_a_process(solver: MilpSolver) -> None:
    model, optimum = small_knapsack(1), knapsack_optimum(1)
    for threads, seed in ((1, 0), (2, 1), (1, 2)):
        check_optimum(model, solve(solver, model, threads=threads, seed=seed), optimum)


def test_the_same_seed_gives_the_same_answer(solver: MilpSolver) -> None:
    first, second = (solve(solver, small_knapsack(3), seed=5) for _ in range(2))
    assert first.nodes == second.nodes
    assert np.array_equal(first.point, second.point)


def test_the_log_goes_to_stderr(solver: MilpSolver, capfd: pytest.CaptureFixture[str]) -> None:
    if isinstance(solver, ChildSolver):
        pytest.skip("the child writes to the stderr of when it started")
    solve(solver, small_knapsack(0))
    assert capfd.readouterr() == ("", "")
    solve(solver, small_knapsack(0), log=True)
    streams = capfd.readouterr()
    assert streams.out == ""
    assert len(streams.err) > 100
