"""`verify` by several processes: the same verdicts, attacks and screened boxes as by one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np
import pytest
from bound_cases import random_network, unit_box
from teams import Dying, ready_team

from netopt.bounds.compute import compute_bounds
from netopt.problems.goal import goals_of
from netopt.problems.joint_attack import attack_together
from netopt.problems.run import Run
from netopt.problems.screening import screen_boxes
from netopt.problems.verification import verify
from netopt.specification.box import Box
from netopt.specification.property import Case, Conjunction, Property

EXECUTORS = [lambda: ThreadPoolExecutor(2), lambda: Dying(3)]


def above(bound: float) -> Conjunction:
    """Return the condition ``y >= bound``."""
    return Conjunction(np.array([[-1.0]]), np.array([-bound]))


@pytest.mark.parametrize("make_executor", EXECUTORS, ids=["threads", "dying"])
def test_the_better_point_of_every_disjunct_is_kept(make_executor: Callable[[], Executor]) -> None:
    network = random_network(3, (5, 20, 20, 1))
    box = unit_box(network)
    case = Case(box, (above(1e3), Conjunction(np.array([[1.0]]), np.array([-1e3]))))
    team = ready_team(make_executor, 2)
    found = attack_together(
        network,
        case,
        team,
        generator=np.random.default_rng(0),
        deadline=time.monotonic() + 60.0,
        starts=None,
        interrupt=threading.Event(),
        rounds=4,
    )
    team.close()
    assert box.contains(found.points).all()
    value = network.forward(found.points)[:, 0]
    assert found.values == pytest.approx([value[0] - 1e3, -1e3 - value[1]])
    sampled = network.forward(box.sample(np.random.default_rng(1), 10_000))[:, 0]
    assert value[0] >= sampled.max()
    assert value[1] <= sampled.min()


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
