"""Executors that stand in for processes, and teams of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any

from netopt.engines.branch_and_bound.team import Team


class Dying(Executor):
    """Answers the first calls, then loses every process."""

    def __init__(self, survives: int) -> None:
        self._left = survives

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._left -= 1
        if self._left >= 0:
            future.set_result(function(*arguments, **named))
        else:
            future.set_exception(BrokenExecutor("gone"))
        return future


class Silent(Dying):
    """Never answers again."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        return super().submit(function, *arguments, **named) if self._left > 0 else Future()


def ready_team(make_executor: Callable[[], Executor], count: int) -> Team:
    """Return a team once its processes can work."""
    team, end = Team(make_executor, count), time.monotonic() + 60.0
    while not team.ready():
        assert time.monotonic() < end
        time.sleep(0.01)
    return team
