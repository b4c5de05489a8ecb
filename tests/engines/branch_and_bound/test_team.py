"""Rounds of several processes come to the same tree as one, whatever becomes of the processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np
import pytest
from followed_search import Aims
from interval_search import IntervalSearch, interval_problem
from teams import Dying, Silent, ready_team

from netopt.engines.branch_and_bound import team as team_module
from netopt.engines.branch_and_bound.rounds import Rounds
from netopt.engines.branch_and_bound.team import Package, Team
from netopt.engines.local_processes import LocalProcesses

AIM = 0.25 + 1e-5


def aim(bound: float = AIM) -> Aims:
    return Aims(np.array([bound]))


def alone() -> IntervalSearch:
    search = IntervalSearch(interval_problem(), aim())
    search.advance(None)
    return search


def together(make_executor: Callable[[], Executor], count: int) -> IntervalSearch:
    search = IntervalSearch(interval_problem(), aim())
    team = ready_team(make_executor, count)
    rounds = Rounds(team, IntervalSearch)
    search.advance(None, most=8)
    while not search.finished:
        if team.ready():
            rounds.advance(search, time.monotonic() + 0.05, most=100)
        else:  # the processes are lost
            search.advance(None, most=1)
    team.close()
    return search


@pytest.mark.parametrize(
    ("make_executor", "count"),
    [(lambda: ThreadPoolExecutor(3), 3), (lambda: LocalProcesses(1), 1), (lambda: Dying(5), 2), (lambda: Dying(1), 1)],
    ids=["threads", "processes", "dying", "dead"],
)
def test_the_tree_is_that_of_one_process(make_executor: Callable[[], Executor], count: int) -> None:
    expected, search = alone(), together(make_executor, count)
    assert search.finished
    assert search.bounded == expected.bounded
    assert search.closed_upper.tolist() == expected.closed_upper.tolist()
    assert 0.25 <= search.upper[0] <= AIM


def test_what_other_processes_see_is_shown_to_the_watch() -> None:
    watch = aim()
    search = IntervalSearch(interval_problem(), watch)
    search.advance(None, most=8)
    team = ready_team(lambda: ThreadPoolExecutor(1), 1)
    before, search.open = search.bounded, search.open.take(slice(0, 2))
    Rounds(team, IntervalSearch).advance(search, time.monotonic() + 0.5, most=0)  # nothing is done here
    team.close()
    assert search.bounded > before
    assert len(watch.points) > 2


def test_a_process_that_does_not_answer_is_left_and_its_parts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team_module, "_PATIENCE", 0.1)
    search = together(lambda: Silent(2), 1)
    assert search.bounded == alone().bounded
    assert search.closed_upper.tolist() == alone().closed_upper.tolist()


def test_a_round_ends_with_the_watch_and_keeps_every_part() -> None:
    watch = aim(-1.0)  # never enough
    search = IntervalSearch(interval_problem(), watch)
    search.advance(None, most=100)
    team, covered = Team(lambda: Silent(1), 1), float((search.open.high - search.open.low).sum())
    assert team.ready()
    watch.stop = True
    Rounds(team, IntervalSearch).advance(search, time.monotonic() + 60.0, most=None)
    assert float((search.open.high - search.open.low).sum()) == pytest.approx(covered)
    assert search.upper[0] >= 0.25


def test_the_parts_furthest_from_closed_are_dealt_first() -> None:
    search = IntervalSearch(interval_problem(), aim())
    search.advance(None, most=500)
    assert search.open.count > 150
    team = Team(lambda: ThreadPoolExecutor(1), 1)
    rest, shares = Rounds(team, IntervalSearch)._deal(search.open, np.array([AIM]), 1.0)
    dealt = np.concatenate([share.upper[:, 0] for share in shares])
    assert rest.count + dealt.size == search.open.count
    assert dealt.min() >= rest.upper.max()


def test_a_process_keeps_what_searches_that_take_turns_need() -> None:
    team = ready_team(lambda: ThreadPoolExecutor(1), 1)
    packages = [Package([k]) for k in range(5)]
    for k, steps in [(0, 1), (1, 1), (0, 2), (1, 2), (2, 1), (0, 3), (3, 1), (4, 1), (0, 4), (1, 1)]:  # 1 is forgotten
        assert team.begin(lengthen, packages[k], "x").result() == steps, k
    team.close()


def test_a_team_that_is_lent_is_not_ready_until_its_answer_is_heard() -> None:
    team, go, heard = ready_team(lambda: ThreadPoolExecutor(1), 1), threading.Event(), list[bool]()
    team.lend(await_event, Package("x"), go, heard.append)
    assert not team.ready()
    assert heard == []
    go.set()
    end = time.monotonic() + 60.0
    while not team.ready():
        assert time.monotonic() < end
        time.sleep(0.01)
    team.close()
    assert heard == [True]


def test_a_lent_process_that_dies_is_left_alone() -> None:
    team, heard = ready_team(lambda: Dying(1), 1), list[bool]()
    team.lend(await_event, Package("x"), threading.Event(), heard.append)
    assert not team.ready()
    assert not team.ready()
    assert heard == []


def await_event(kept: str, event: threading.Event) -> bool:
    """Wait until the event is set."""
    return event.wait(60.0) and kept == "x"


def lengthen(kept: list[object], item: object) -> int:
    """Keep an item in a package; return how many there are."""
    kept.append(item)
    return len(kept) - 1
