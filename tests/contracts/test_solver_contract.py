"""What every registered solver must do, and `ChildSolver` around one of them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from milp_models import (
    HARD_OPTIMUM,
    HARD_ROOT_BOUND,
    best_value,
    hard_knapsack,
    knapsack_optimum,
    market_split,
    random_milp,
    small_knapsack,
)
from scipy import sparse

from formulations.milp import MilpBuilder, MilpModel
from netopt.errors import InputError, InvalidOptionError, UnsupportedModelError
from netopt.solvers.child import ChildSolver
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.registry import SOLVERS, get_solver
from netopt.solvers.result import SolverResult, Termination
from netopt.solvers.solver import MilpSolver

UNBOUNDED = (Termination.UNBOUNDED, Termination.INFEASIBLE_OR_UNBOUNDED)


@pytest.fixture(params=[*SOLVERS, "child of highs"], scope="module")
def solver(request: pytest.FixtureRequest) -> Iterator[MilpSolver]:
    if request.param == "child of highs":
        with ChildSolver(get_solver("highs")) as child:
            yield child
        return
    chosen = get_solver(request.param)
    availability = chosen.availability()
    if not availability.usable:
        pytest.skip(availability.reason)
    yield chosen


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


@pytest.mark.parametrize("maximize", [True, False])
def test_a_time_limit_is_a_result_with_bounds_that_hold(solver: MilpSolver, maximize: bool) -> None:
    sign = 1.0 if maximize else -1.0
    began = time.monotonic()
    result = solve(solver, hard_knapsack(maximize=maximize), time_limit=0.4, relative_gap=0.0)
    assert time.monotonic() - began < 1.4
    assert result.termination is Termination.TIME_LIMIT, result
    assert sign * result.dual_bound >= HARD_OPTIMUM - 1e-6
    assert result.primal_bound is None or sign * result.primal_bound <= HARD_OPTIMUM + 1e-6


def test_a_node_limit_is_a_result(solver: MilpSolver) -> None:
    result = solve(solver, hard_knapsack(), node_limit=1, time_limit=20.0)
    assert result.termination is Termination.NODE_LIMIT, result
    assert result.dual_bound >= HARD_OPTIMUM - 1e-6


def test_an_interrupt_from_another_thread_ends_it(solver: MilpSolver) -> None:
    if not solver.capabilities.interrupt:
        pytest.skip(f"{solver.name} cannot be interrupted; a ChildSolver around it can")
    interrupt = threading.Event()
    timer = threading.Timer(0.3, interrupt.set)
    timer.start()
    result = solver.solve(market_split(), SolverParameters(time_limit=30.0), interrupt=interrupt)
    timer.join()
    assert result.seconds < 2.3
    assert result.termination is Termination.INTERRUPTED, result
    check(market_split(), result)
    early = solver.solve(market_split(), SolverParameters(), interrupt=interrupt)
    assert early.termination is Termination.INTERRUPTED


def test_ctrl_c_ends_it_with_the_best_so_far(solver: MilpSolver) -> None:
    if not solver.capabilities.interrupt:
        pytest.skip(f"{solver.name} cannot be interrupted; a ChildSolver around it can")
    import _thread

    interrupt = threading.Event()
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    result = solver.solve(market_split(), SolverParameters(time_limit=30.0), interrupt=interrupt)
    timer.join()
    assert result.termination is Termination.INTERRUPTED, result
    assert interrupt.is_set()  # so that the caller does not go on with the next model
    assert result.seconds < 2.3


def test_callbacks_see_feasible_points_and_bounds_that_only_improve(solver: MilpSolver) -> None:
    if not solver.capabilities.incumbent_callback:
        pytest.skip(f"{solver.name} has no callbacks")
    model = hard_knapsack()
    incumbents: list[float] = []
    bounds: list[float] = []

    def on_incumbent(value: float, point: np.ndarray) -> None:
        assert model.violation(point) <= 1e-6
        assert value == pytest.approx(model.objective_value(point))
        incumbents.append(value)

    result = solver.solve(model, SolverParameters(time_limit=1.0), on_incumbent=on_incumbent, on_bound=bounds.append)
    check(model, result)
    assert len(incumbents) > 1
    assert incumbents == sorted(set(incumbents))
    assert bounds == sorted(set(bounds), reverse=True)
    assert min(bounds) >= HARD_OPTIMUM - 1e-6
    assert (result.primal_bound, result.dual_bound) == (incumbents[-1], bounds[-1])


def test_an_error_in_a_callback_reaches_the_caller(solver: MilpSolver) -> None:
    if not solver.capabilities.incumbent_callback:
        pytest.skip(f"{solver.name} has no callbacks")

    def fail(value: float, point: np.ndarray) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        solver.solve(hard_knapsack(), SolverParameters(time_limit=20.0), on_incumbent=fail)
    check_optimum(one_row(0.0, 4.0), solve(solver, one_row(0.0, 4.0)), 3.75)


def test_an_objective_limit_stops_early(solver: MilpSolver) -> None:
    if not solver.capabilities.incumbent_callback:
        pytest.skip(f"{solver.name} has no callbacks")
    for sign in (1.0, -1.0):
        result = solve(solver, hard_knapsack(maximize=sign > 0), objective_limit=sign * 600.0, time_limit=20.0)
        assert result.termination is Termination.OBJECTIVE_LIMIT, result
        assert result.primal_bound is not None
        assert 600.0 <= sign * result.primal_bound <= HARD_OPTIMUM
        assert sign * result.dual_bound >= HARD_OPTIMUM - 1e-6


def test_a_bound_limit_stops_early(solver: MilpSolver) -> None:
    if not solver.capabilities.incumbent_callback:
        pytest.skip(f"{solver.name} has no callbacks")
    for sign in (1.0, -1.0):
        model = hard_knapsack(maximize=sign > 0)
        result = solve(solver, model, bound_limit=sign * HARD_ROOT_BOUND, time_limit=20.0)
        assert result.termination is Termination.BOUND_LIMIT, result
        assert HARD_OPTIMUM - 1e-6 <= sign * result.dual_bound <= HARD_ROOT_BOUND


def test_limits_that_are_never_reached_change_nothing(solver: MilpSolver) -> None:
    model, optimum = small_knapsack(0), knapsack_optimum(0)
    result = solve(solver, model, objective_limit=optimum + 50.0, bound_limit=optimum - 50.0)
    check_optimum(model, result, optimum)


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
