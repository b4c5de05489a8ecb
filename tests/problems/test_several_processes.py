"""`verify` by several processes: the same verdicts, attacks and screened boxes as by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np
import pytest
from bound_cases import random_network, unit_box
from teams import Dying, ready_team

from netopt.bounds.compute import compute_bounds
from netopt.network.network import Network
from netopt.problems.goal import Goal, goals_of
from netopt.problems.hunting import Effort, Hunt
from netopt.problems.joint_attack import Restarts, climb
from netopt.problems.replay import Replayer
from netopt.problems.run import Run
from netopt.problems.screening import screen_boxes
from netopt.problems.verification import verify
from netopt.specification.box import Box
from netopt.specification.property import Case, Conjunction, Property

EXECUTORS = [lambda: ThreadPoolExecutor(2), lambda: Dying(3)]


def above(bound: float) -> Conjunction:
    """Return the condition ``y >= bound``."""
    return Conjunction(np.array([[-1.0]]), np.array([-bound]))


def asked(bound: float) -> tuple[Network, list[list[Goal]], float]:
    """Return a network, the goals of two boxes that ask for more than it reaches in one by `bound`, and that most."""
    network = random_network(3, (5, 20, 20, 1))
    box = unit_box(network)
    middle = 0.5 * (box.lower + box.upper)
    sampled = float(network.forward(box.sample(np.random.default_rng(1), 10_000)).max())
    cases = (Case(Box(middle, middle), (above(1e3),)), Case(box, (above(sampled + bound), above(1e3))))
    return network, goals_of(Property(cases, 5, 1)), sampled


def hunted(hunt: Hunt, goals: list[list[Goal]], make_executor: Callable[[], Executor]) -> None:
    """Attack beside, and wait for what is found."""
    team, end = ready_team(make_executor, 2), time.monotonic() + 60.0
    hunt.attack(goals, Effort.LONG, team)
    assert hunt.found is None  # it is heard of when the team is asked the next time
    while not (team.ready() or team._broken):
        assert time.monotonic() < end
        time.sleep(0.01)
    team.close()


@pytest.mark.parametrize("make_executor", EXECUTORS, ids=["threads", "dying"])
def test_the_best_point_of_every_disjunct_is_heard_of(make_executor: Callable[[], Executor]) -> None:
    network, goals, sampled = asked(1.0)
    hunt = Hunt(Replayer(network), Run(None), 0)
    hunted(hunt, goals, make_executor)
    assert hunt.found is None
    for goal in (goal for case in goals for goal in case):
        assert goal.best_point is not None
        assert goal.domain.contains(goal.best_point[None]).all()
    value = network.forward(np.asarray(goals[1][0].best_point)[None])[0, 0]
    assert value >= sampled


def test_a_witness_found_beside_halts_the_call() -> None:
    network, goals, sampled = asked(-0.01)
    run = Run(None)
    hunt = Hunt(Replayer(network), run, 0)
    hunted(hunt, goals, EXECUTORS[0])
    assert hunt.found is not None
    assert run.halt.is_set()
    assert hunt.origin == "attack"
    assert hunt.found.witness.y[0] >= sampled - 0.01


def test_an_attack_beside_ends_with_a_hit_and_with_its_time() -> None:
    network, goals, _ = asked(-0.01)
    cases = [Case(case[0].domain, tuple(goal.objective.conjunction for goal in case)) for case in goals]
    order = [cases[1], cases[0]]
    results = climb(network, Restarts(order, [None, None], np.random.default_rng(0), 60.0, 4))
    assert len(results) == 1
    assert results[0].value > 0.0
    assert climb(network, Restarts(order, [None, None], np.random.default_rng(0), 0.0, 4)) == []


@pytest.mark.parametrize("make_executor", EXECUTORS, ids=["threads", "dying"])
def test_screened_boxes_have_the_bounds_of_one_process(
    make_executor: Callable[[], Executor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netopt.problems.screening._BLOCK", 7)
    network = random_network(5, (3, 12, 12, 1))
    generator = np.random.default_rng(2)
    middle = generator.uniform(-1.0, 1.0, size=(40, 3))
    top = float(compute_bounds(network, unit_box(network)).output_upper[0])
    cases = tuple(
        Case(Box(m - 0.2, m + 0.2), (above(top * generator.uniform(0.0, 1.0)), above(2.0 * top))) for m in middle
    )
    alone, together = (goals_of(Property(cases, 3, 1)) for _ in range(2))
    screen_boxes(network, alone, Run(None))
    team = ready_team(make_executor, 2)
    screen_boxes(network, together, Run(None), team)
    team.close()
    left = [goal for goals in alone for goal in goals]
    assert any(goal.closed for goal in left)
    assert not all(goal.closed for goal in left)
    assert [goal.upper for goal in left] == [goal.upper for goals in together for goal in goals]
    assert [goal.closed for goal in left] == [goal.closed for goals in together for goal in goals]


@pytest.mark.parametrize("seed", range(3))
def test_two_processes_come_to_the_verdict_of_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netopt.engines.branch_and_bound.lanes._TURN", 0.05)
    network = random_network(seed, (4, 20, 20, 1))
    domain = Box(-np.ones(4), np.ones(4))
    best = float(network.forward(domain.sample(np.random.default_rng(0), 20_000)).max())
    for bound, expected in ((best - 1e-3, "sat"), (1.5 * best + 0.3, None)):
        prop = Property((Case(domain, (above(bound),)),), 4, 1)
        one = verify(network, prop, solver="native", time_limit=60.0)
        two = verify(network, prop, solver="native", time_limit=60.0, threads=2)
        assert two.status is one.status
        assert expected is None or two.status.value == expected
