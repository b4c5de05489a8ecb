"""An answer that contradicts itself is never passed on as a proof."""

from __future__ import annotations

import pickle
import threading
from dataclasses import replace

import numpy as np
import pytest

from formulations.milp import MilpBuilder, MilpModel
from netopt.solvers.monitor import Monitor
from netopt.solvers.outcome import VendorAnswer, make_result
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination


def model(*, maximize: bool = True) -> MilpModel:
    builder = MilpBuilder()
    x = builder.add_columns(1, lower=-5.0, upper=5.0, integral=True)
    builder.set_objective(x, np.ones(1), constant=1.0, maximize=maximize)
    return builder.build()


HONEST = VendorAnswer(termination=Termination.OPTIMAL, status="fine", dual_bound=6.0, point=np.array([5.0]))


def test_an_honest_answer_passes() -> None:
    result = make_result(Monitor(model(), SolverParameters()), HONEST, "solver")
    assert (result.termination, result.primal_bound, result.dual_bound) == (Termination.OPTIMAL, 6.0, 6.0)


@pytest.mark.parametrize(
    "lie",
    [
        {"point": None},
        {"point": np.array([7.0])},
        {"point": np.array([4.5])},
        {"point": np.array([np.nan])},
        {"point": np.ones(2)},
        {"dual_bound": 5.9},
        {"dual_bound": np.nan},
        {"dual_bound": np.inf},
        {"dual_bound": 7.0},
        {"termination": Termination.INFEASIBLE},
    ],
)
def test_a_contradiction_proves_nothing(lie: dict[str, object]) -> None:
    answer = replace(HONEST, **lie)  # type: ignore[arg-type] # one field
    result = make_result(Monitor(model(), SolverParameters()), answer, "solver")
    assert result.termination is Termination.NUMERICAL
    assert result.dual_bound == np.inf


def test_a_start_contradicts_infeasibility() -> None:
    monitor = Monitor(model(), SolverParameters())
    monitor.offer_start(np.zeros(1))
    answer = VendorAnswer(termination=Termination.INFEASIBLE, status="", dual_bound=-np.inf)
    assert make_result(monitor, answer, "solver").termination is Termination.NUMERICAL


@pytest.mark.parametrize("maximize", [True, False])
def test_the_best_seen_on_the_way_counts_and_what_comes_late_does_not(maximize: bool) -> None:
    sign = 1.0 if maximize else -1.0
    bounds: list[float] = []
    monitor = Monitor(model(maximize=maximize), SolverParameters(), on_bound=bounds.append)
    monitor.incumbent(np.array([sign * 3.0]))
    monitor.incumbent(np.array([sign * 2.0]))
    for bound in (9.0, 8.0, 8.5, np.nan):
        monitor.bound(sign * bound)
    answer = VendorAnswer(termination=Termination.TIME_LIMIT, status="", dual_bound=sign * 100.0)
    result = make_result(monitor, answer, "solver")
    assert (result.primal_bound, result.dual_bound) == (sign * 3.0 + 1.0, sign * 8.0)
    assert bounds == [sign * 9.0, sign * 8.0]
    monitor.bound(sign * 3.5)  # from a vendor that frees its tree
    monitor.incumbent(np.array([sign * 4.0]))
    assert (monitor.dual_bound, len(bounds)) == (sign * 8.0, 2)


def test_the_first_reason_to_stop_counts() -> None:
    interrupt = threading.Event()
    parameters = SolverParameters(objective_limit=4.0, bound_limit=7.0)
    monitor = Monitor(model(), parameters, interrupt=interrupt)
    monitor.incumbent(np.array([2.0]))
    assert not monitor.should_stop()
    monitor.incumbent(np.array([3.0]))
    assert monitor.should_stop()
    interrupt.set()
    monitor.bound(6.5)
    answer = VendorAnswer(termination=Termination.INTERRUPTED, status="", dual_bound=6.5)
    assert make_result(monitor, answer, "solver").termination is Termination.OBJECTIVE_LIMIT


def test_parameters_can_be_pickled() -> None:
    parameters = SolverParameters(time_limit=3.0, options={"presolve": "off"})
    copy = pickle.loads(pickle.dumps(parameters))
    assert copy == parameters
    assert pickle.loads(pickle.dumps(SolverParameters())).seed == 0
