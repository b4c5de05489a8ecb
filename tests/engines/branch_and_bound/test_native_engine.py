"""The native engine against brute force over activation patterns and HiGHS; its limits, its memory, its lanes."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from activation_patterns import random_perceptron
from bound_cases import NETWORKS
from followed_search import Aims
from hypothesis import given, settings
from hypothesis import strategies as st
from interval_search import IntervalSearch, interval_problem
from solved_cases import solved_maximum

from formulations.big_m import BigM
from netopt.arrays import FloatArray
from netopt.bounds.compute import compute_bounds
from netopt.engines.branch_and_bound import lanes as lanes_module
from netopt.engines.branch_and_bound.engine import NativeEngine
from netopt.engines.branch_and_bound.lanes import Lanes, array_bytes
from netopt.engines.branch_and_bound.schedule import Rule, schedule
from netopt.engines.branch_and_bound.scout import Scout
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.engine import Maximization
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.specification.box import Box

QUICK = SolverParameters(time_limit=1.0, relative_gap=1e-3, absolute_gap=1e-3)


@given(
    seed=st.integers(0, 10**6),
    ball=st.booleans(),
    mixed=st.booleans(),
    scale=st.sampled_from([1e-2, 1.0, 1e2]),
)
@settings(max_examples=10)
def test_the_maximum_lies_between_its_bounds(seed: int, ball: bool, mixed: bool, scale: float) -> None:
    case = solved_maximum(seed, ball=ball, mixed=mixed, scale=scale)
    network, domain, objective, truth = case.network, case.domain, case.objective, case.truth
    heard, shown = list[float](), list[FloatArray]()
    answer = NativeEngine().maximize(
        Maximization(
            network,
            domain,
            objective,
            compute_bounds(network, domain),
            QUICK,
            start=domain.center,
            on_point=shown.append,
            on_bound=heard.append,
        )
    )
    slack = 1e-9 * (1.0 + abs(truth))
    assert answer.dual_bound >= truth - slack
    assert answer.primal_bound is not None
    assert answer.primal_bound <= truth + 1e-6 * (1.0 + abs(truth))
    assert heard == sorted(heard, reverse=True)
    values = [float(objective.value(x[None], network.forward(x[None]))[0]) for x in shown]
    assert values == sorted(values)
    assert all(domain.contains(x[None], 1e-9)[0] for x in shown)
    if answer.termination is Termination.OPTIMAL:
        assert answer.dual_bound - answer.primal_bound <= max(1e-3, 1e-3 * abs(answer.primal_bound))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_of_every_shape_are_maximised(name: str) -> None:
    network = NETWORKS[name]
    middle = np.linspace(-0.5, 0.5, network.input_size)
    objective = SlackObjective.linear(np.linspace(1.0, -0.5, network.output_size))
    box = Box(middle - 0.2, middle + 0.2)
    bounds = compute_bounds(network, box)
    tight = SolverParameters(relative_gap=0.0, absolute_gap=1e-9)
    optimum = MilpEngine(Highs(), BigM()).maximize(Maximization(network, box, objective, bounds, tight)).dual_bound
    answer = NativeEngine().maximize(Maximization(network, box, objective, bounds, QUICK, start=box.center))
    assert answer.dual_bound >= optimum - 1e-6
    assert answer.primal_bound is not None
    assert answer.primal_bound <= optimum + 1e-6
    below = SolverParameters(time_limit=1.0, bound_limit=optimum - 1e-3)
    assert (
        NativeEngine().maximize(Maximization(network, box, objective, bounds, below)).termination
        is not Termination.BOUND_LIMIT
    )


def wide() -> tuple[Network, Box, SlackObjective]:
    """Return a problem that nothing decides in seconds."""
    network = random_perceptron(np.random.default_rng(0), [24, 60, 60, 60, 1], scale=0.5).network
    return network, Box(-np.ones(24), np.ones(24)), SlackObjective.linear(np.ones(1))


def test_limits_end_the_call_with_the_bounds_reached() -> None:
    network, box, objective = wide()
    bounds = compute_bounds(network, box)
    reached = NativeEngine().maximize(Maximization(network, box, objective, bounds, SolverParameters(node_limit=20)))
    assert reached.termination is Termination.NODE_LIMIT
    assert 20 <= reached.nodes < 2000
    begun = time.monotonic()
    late = NativeEngine().maximize(
        Maximization(network, box, objective, bounds, SolverParameters(time_limit=1.0), start=box.center)
    )
    assert late.termination is Termination.TIME_LIMIT
    assert time.monotonic() - begun < 4.0
    assert late.point is not None
    assert late.primal_bound is not None
    assert late.primal_bound < late.dual_bound < np.inf
    low = SolverParameters(objective_limit=late.primal_bound - 1.0)
    first = NativeEngine().maximize(Maximization(network, box, objective, bounds, low, start=late.point))
    assert first.termination is Termination.OBJECTIVE_LIMIT
    interrupt = threading.Event()
    threading.Timer(0.5, interrupt.set).start()
    ended = NativeEngine().maximize(Maximization(network, box, objective, bounds, interrupt=interrupt))
    assert ended.termination is Termination.INTERRUPTED
    assert ended.dual_bound < np.inf


def test_a_bound_that_suffices_ends_the_call() -> None:
    network, box, objective = wide()
    bounds = compute_bounds(network, box)
    limit = SolverParameters(bound_limit=float(bounds.output_upper[0]) * 1.01)
    answer = NativeEngine().maximize(Maximization(network, box, objective, bounds, limit))
    assert answer.termination is Termination.BOUND_LIMIT
    assert answer.dual_bound <= bounds.output_upper[0] * 1.01


def test_a_network_without_relus_needs_no_split() -> None:
    network, box = from_weights([[[2.0, -1.0]]], [[0.5]]), Box(-np.ones(2), np.ones(2))
    objective = SlackObjective.linear(np.ones(1))
    answer = NativeEngine().maximize(
        Maximization(network, box, objective, compute_bounds(network, box), start=np.array([1.0, -1.0]))
    )
    assert answer.termination is Termination.OPTIMAL
    assert answer.dual_bound == pytest.approx(3.5, rel=1e-4)


class _RoundByRound(IntervalSearch):
    """Ends every turn after one round."""

    def advance(self, deadline: float | None, most: int | None = None) -> None:
        super().advance(deadline, 1)


def test_a_search_whose_parts_take_too_much_memory_is_given_up_and_its_bound_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule = Rule("intervals", _RoundByRound, first=0.0, share=1.0)
    monkeypatch.setattr(lanes_module, "schedule", lambda _: [rule])
    lanes = Lanes(interval_problem(), Aims(np.array([0.25 + 1e-9])), memory=20_000)
    lanes.advance(None)
    assert lanes.finished
    assert lanes.out_of_memory
    assert lanes.open.all()
    assert 0.25 <= lanes.upper[0] < 0.3
    assert lanes.method == ["intervals"]


def test_lanes_close_every_objective_that_can_be_closed_and_name_what_did() -> None:
    network = random_perceptron(np.random.default_rng(3), [2, 6, 6, 2]).network
    box = Box(-np.ones(2), np.ones(2))
    objectives = tuple(SlackObjective.linear(row) for row in np.eye(2))
    bounds = compute_bounds(network, box)
    most = network.forward(box.sample(np.random.default_rng(0), 20_000)).max(axis=0)
    margin = 0.05 * (1.0 + np.abs(most))
    assert (bounds.output_upper > most + margin).any()
    lanes = Lanes(Problem(network, box, bounds, objectives), Aims(most + np.array([1.0, 1.0]) * margin))
    lanes.advance(time.monotonic() + 20.0)
    assert lanes.finished
    assert not lanes.open.any()
    assert (lanes.upper >= most).all()
    names = {rule.name for rule in schedule(lanes.problem)}
    assert set(lanes.method) <= names


def test_a_scout_climbs_from_what_it_is_shown() -> None:
    network = from_weights([[[1.0], [-1.0]], [[-1.0, -1.0]]], [[0.0, 0.0], [0.0]])  # -|x|
    box = Box(np.array([-1.0]), np.array([1.0]))
    problem = Problem(network, box, compute_bounds(network, box), (SlackObjective.linear(np.ones(1)),))
    found: list[float] = []
    scout = Scout(problem, lambda _, x: found.append(float(x[0])), lambda: False)
    time.sleep(0.05)  # a share of the time since it began is its budget
    scout.seen(0, np.array([[0.3], [0.2]]))
    assert found[0] == 0.2
    assert abs(found[-1]) < 0.1
    assert scout.best[0] == -abs(found[-1])


def test_bytes_of_parts_are_those_of_their_arrays() -> None:
    parts = IntervalSearch(interval_problem(), Aims(np.zeros(1))).open
    assert array_bytes(parts) == parts.low.nbytes + parts.high.nbytes + parts.upper.nbytes == 24
