"""Of hundreds of disjuncts, only those that a point may satisfy are replayed once replaying has taken its time."""

from __future__ import annotations

import numpy as np
import pytest
from bound_cases import random_network, unit_box

from netopt.network.network import Network
from netopt.problems import hunting
from netopt.problems.goal import Goal, goals_of
from netopt.problems.hunting import Effort, Hunt
from netopt.problems.replay import Replayer
from netopt.problems.run import HaltedError, Run
from netopt.specification.property import Case, Conjunction, Property


def asked(thresholds: list[float]) -> tuple[Network, list[Goal]]:
    """Return a network and the goals that its one output is at least each threshold."""
    network = random_network(3, (5, 10, 1))
    conjunctions = tuple(Conjunction(np.array([[-1.0]]), np.array([-threshold])) for threshold in thresholds)
    return network, goals_of(Property((Case(unit_box(network), conjunctions),), 5, 1))[0]


@pytest.mark.parametrize(("seconds", "replayed"), [(60.0, 4), (0.0, 1)])
def test_points_that_miss_by_far_are_replayed_while_there_is_time(
    seconds: float, replayed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hunting, "_REPLAY_SECONDS", seconds)
    network, goals = asked([4e3, 1e3, 2e3, 3e3])
    hunt = Hunt(Replayer(network), Run(None), 0)
    hunt.attack([goals], Effort.SHORT)
    known = [goal for goal in goals if goal.best_point is not None]
    assert len(known) == replayed
    assert goals[1] in known  # the most promising one


def test_a_witness_is_found_however_long_replaying_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunting, "_REPLAY_SECONDS", 0.0)
    network, goals = asked([1e3, -1e3, 2e3])
    hunt = Hunt(Replayer(network), Run(None), 0)
    with pytest.raises(HaltedError):
        hunt.attack([goals], Effort.SHORT)
    assert hunt.found is not None
    assert hunt.found.witness.y[0] >= -1e3
