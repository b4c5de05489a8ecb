"""Limits, interrupts and callbacks, of every registered solver and of `ChildSolver` around one of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from milp_models import (
    HARD_OPTIMUM,
    HARD_ROOT_BOUND,
    hard_knapsack,
    knapsack_optimum,
    market_split,
    small_knapsack,
)
from solver_answers import check, check_optimum, one_row, solve

from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import SolverResult, Termination
from netopt.solvers.solver import MilpSolver


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


def interrupted(solver: MilpSolver, interrupt: threading.Event, act: Callable[[], object]) -> SolverResult:
    """Return the answer to a model that takes longer, with `act` called in another thread after 0.3 s."""
    if not solver.capabilities.interrupt:
        pytest.skip(f"{solver.name} cannot be interrupted; a ChildSolver around it can")
    timer = threading.Timer(0.3, act)
    timer.start()
    result = solver.solve(market_split(), SolverParameters(time_limit=30.0), interrupt=interrupt)
    timer.join()
    return result


def test_an_interrupt_from_another_thread_ends_it(solver: MilpSolver) -> None:
    interrupt = threading.Event()
    result = interrupted(solver, interrupt, interrupt.set)
    assert result.seconds < 2.3
    assert result.termination is Termination.INTERRUPTED, result
    check(market_split(), result)
    early = solver.solve(market_split(), SolverParameters(), interrupt=interrupt)
    assert early.termination is Termination.INTERRUPTED


def test_ctrl_c_ends_it_with_the_best_so_far(solver: MilpSolver) -> None:
    import _thread

    interrupt = threading.Event()
    result = interrupted(solver, interrupt, _thread.interrupt_main)
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
