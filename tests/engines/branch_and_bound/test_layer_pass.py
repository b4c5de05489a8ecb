"""Neurons of a layer dealt to processes: bounds hold whatever becomes of them, and what they find counts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np
import pytest
from bound_cases import NETWORKS, assert_between, random_network, unit_box
from followed_search import Follower, problem_of
from teams import Dying, Silent, ready_team

from netopt.bounds.alpha_crown import alpha_crown_bounds
from netopt.bounds.compute import compute_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.engines.branch_and_bound import team as team_module
from netopt.engines.branch_and_bound import tightening
from netopt.engines.branch_and_bound.lanes import Lanes
from netopt.engines.branch_and_bound.layer_pass import SLOPES, split_neurons
from netopt.engines.branch_and_bound.team import Team
from netopt.engines.local_processes import LocalProcesses
from netopt.engines.objective import SlackObjective

WIDE = (6, 16, 16, 16, 2)


def width(bounds: PreactivationBounds) -> float:
    return sum(float((bounds.upper[name] - bounds.lower[name]).sum()) for name in bounds.lower)


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("parts", [SLOPES, 20])
def test_dealt_neurons_have_bounds_that_hold(name: str, parts: int) -> None:
    network = NETWORKS[name]
    box = unit_box(network, 0.5)
    crown = compute_bounds(network, box)
    team = ready_team(lambda: ThreadPoolExecutor(2), 2)
    assert_between(network, box, crown, split_neurons(network, box, crown, parts, team=team))
    team.close()


@pytest.mark.parametrize("make_executor", [lambda: ThreadPoolExecutor(1), lambda: LocalProcesses(1)])
def test_three_layers_of_slopes_are_about_those_of_one_process(make_executor: Callable[[], Executor]) -> None:
    network = random_network(1, WIDE)
    box = unit_box(network, 0.5)
    crown = compute_bounds(network, box)
    expected = alpha_crown_bounds(network, box, crown)
    team = ready_team(make_executor, 1)
    found = split_neurons(network, box, crown, SLOPES, team=team)
    team.close()
    for relu in network.relus:
        size = np.abs(expected.upper[relu.name]).max() + np.abs(expected.lower[relu.name]).max()
        assert found.upper[relu.name] == pytest.approx(expected.upper[relu.name], abs=0.02 * size)
        assert found.lower[relu.name] == pytest.approx(expected.lower[relu.name], abs=0.02 * size)


@pytest.mark.parametrize("make_executor", [lambda: Dying(1), lambda: Silent(2)], ids=["dying", "silent"])
def test_without_an_answer_bounds_stay_and_nobody_is_asked_again(
    make_executor: Callable[[], Executor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team_module, "_PATIENCE", 0.1)
    network = random_network(1, WIDE)
    box = unit_box(network, 0.5)
    crown = compute_bounds(network, box)
    answered = split_neurons(network, box, crown, 64, team=ready_team(lambda: ThreadPoolExecutor(1), 1))
    team = ready_team(make_executor, 1)
    left = split_neurons(network, box, crown, 64, team=team)
    assert not team.ready()
    assert_between(network, box, crown, left)
    assert width(answered) < width(left) < width(crown)


def test_a_stop_while_others_work_leaves_what_was_known() -> None:
    network = random_network(1, WIDE)
    box = unit_box(network, 0.5)
    crown = compute_bounds(network, box)
    team = ready_team(lambda: Silent(1), 1)
    stopped = split_neurons(network, box, crown, 64, stopped=lambda: True, team=team)
    for name, (lower, upper) in crown.pairs.items():
        assert np.array_equal(stopped.lower[name], lower)
        assert np.array_equal(stopped.upper[name], upper)


def test_lanes_tighten_and_split_with_a_team(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tightening, "_TRIAL", 0.0)
    network = random_network(7, (24, 16, 16, 16, 1))
    problem = problem_of(network, unit_box(network, 0.3), [SlackObjective.linear(np.ones(1))])
    team: Team = ready_team(lambda: ThreadPoolExecutor(1), 1)
    searches = Lanes(problem, Follower(problem, 0.0), team=team)
    searches.advance(None, most=1_500)
    team.close()
    lane = searches._lanes[-1]
    assert lane.tightening is not None
    assert lane.tightening.passes >= 1
    assert_between(network, unit_box(network, 0.3), problem.bounds, lane.tightening.problem.bounds)
    points = unit_box(network, 0.3).sample(np.random.default_rng(1), 10_000)
    assert network.forward(points).max() <= searches.upper[0]
