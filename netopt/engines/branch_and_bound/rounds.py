"""Open parts of one search worked on by several processes: dealt in rounds, collected, dealt anew.

Between two rounds all open parts are in one place, so that a search can go on with any number of processes, or none,
and its bounds are known at any time. A round takes about a second: short beside the search, long beside what the parts
take to travel. Each process gets no more parts than it can work on in a round.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.engines.branch_and_bound.scout import Scout
from netopt.engines.branch_and_bound.search import OpenParts, Problem, Search, Watch
from netopt.engines.branch_and_bound.team import Package, Team, side_by_side
from netopt.proof.trail import SILENT, Trail

#: Makes a search; a class or a function of a module.
Maker = Callable[[Problem, Watch], Search[Any]]

#: Parts that a process gets at least, and in a round for each that it bounded in the one before.
_LEAST, _RESERVE = 64, 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What one process is asked.

    Attributes
    ----------
    parts : to work on.
    enough : (d,) as `Watch.enough`.
    seconds : after which it ends.
    trail : to be told what happens.
    """

    parts: OpenParts
    enough: FloatArray
    seconds: float
    trail: Trail


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What one process answers.

    Attributes
    ----------
    parts : what is still open.
    closed_upper : (d,) bounds over what was closed.
    bounded : number of parts.
    points : (objective, member of the domain (n,)) that were the best the process had seen.
    trail : what it was told.
    """

    parts: OpenParts
    closed_upper: FloatArray
    bounded: int
    points: list[tuple[int, FloatArray]]
    trail: Trail


class Rounds:
    """Rounds of the searches that `make` makes, in this process and those of a team."""

    def __init__(self, team: Team, make: Maker) -> None:
        self._team, self._make = team, make
        self._package: tuple[Problem, Package[Member]] | None = None
        self._pace = 0.0

    def advance(self, search: Search[Any], deadline: float, most: int | None) -> None:
        """Make one round, until a value of `time.monotonic` at most; the team has to be ready."""
        begun = time.monotonic()
        seconds = max(0.0, deadline - begun)
        enough, trail, before = search.watch.enough(), search.trail, search.bounded
        rest, shares = self._deal(search.open, enough, seconds)
        search.open = shares[0]
        package = self._pack(search.problem)
        tasks = [Task(part, enough, seconds, trail.fork()) for part in shares[1:] if part.count]

        def own() -> None:
            search.advance(begun + seconds, most)
            self._pace = max(1.0, (search.bounded - before) / max(time.monotonic() - begun, 1e-3))

        _, reports = side_by_side(self._team, work, package, tasks, own=own, stopped=search.watch.stopped)
        open_parts = rest.then(search.open)
        for task, report in zip(tasks, reports, strict=True):
            if report is None:  # its parts are still where they were
                open_parts = open_parts.then(task.parts)
                continue
            open_parts = open_parts.then(report.parts)
            search.closed_upper = np.maximum(search.closed_upper, report.closed_upper)
            search.bounded += report.bounded
            trail.join(report.trail)
            for objective, point in report.points:
                search.watch.seen(objective, point[None])
        search.open = open_parts

    def _pack(self, problem: Problem) -> Package[Member]:
        if self._package is None or self._package[0] is not problem:
            self._package = problem, Package(Member(self._make, replace(problem, trail=SILENT)))
        return self._package[1]

    def _deal(self, parts: OpenParts, enough: FloatArray, seconds: float) -> tuple[OpenParts, list[OpenParts]]:
        """Return what stays undealt, and a share for each process, this one first: the parts furthest from closed."""
        processes = self._team.count + 1
        dealt = min(parts.count, processes * max(_LEAST, int(_RESERVE * self._pace * seconds)))
        excess = np.where(np.isposinf(enough), -np.inf, parts.upper - np.where(np.isposinf(enough), 0.0, enough))
        order: IntArray = np.argsort(-excess.max(axis=1), kind="stable")
        shares = [parts.take(np.sort(order[k:dealt:processes])) for k in range(processes)]
        return parts.take(np.sort(order[dealt:])), shares


@dataclass(slots=True, eq=False)
class Member:
    """A search in another process; it is made when it is first asked for anything."""

    make: Maker
    problem: Problem
    search: Search[Any] | None = None
    shift: _Shift | None = None


def work(member: Member, task: Task) -> Report:
    """Advance a search over a task's parts; runs in another process, which keeps the search for the next task."""
    if member.search is None or member.shift is None:
        member.shift = _Shift(member.problem)
        member.search = member.make(member.problem, member.shift)
    search, shift = member.search, member.shift
    end = time.monotonic() + task.seconds
    shift.begin(task)
    search.open, search.trail = task.parts, task.trail
    search.closed_upper = np.full(task.enough.size, -np.inf)
    search.bounded = 0
    search.advance(end)
    return Report(search.open, search.closed_upper, search.bounded, shift.points, search.trail)


@dataclass(slots=True, eq=False)
class _Shift:
    """The watch of a search in another process."""

    problem: Problem
    points: list[tuple[int, FloatArray]] = field(default_factory=list)
    _enough: FloatArray = field(default_factory=lambda: np.empty(0))
    _scout: Scout | None = None

    def begin(self, task: Task) -> None:
        """Take note of a new task."""
        self._enough, self.points = task.enough, []

    def enough(self) -> FloatArray:
        return self._enough

    def stopped(self) -> bool:
        return False

    def seen(self, objective: int, points: FloatArray) -> None:
        if self._scout is None:
            self._scout = Scout(self.problem, self._found, self.stopped)
        self._scout.seen(objective, points)

    def _found(self, objective: int, point: FloatArray) -> None:
        self.points.append((objective, point))
