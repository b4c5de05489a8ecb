"""Open parts worked on by several processes: dealt in rounds, collected, dealt anew.

Between two rounds all open parts are in one place, so that a search can go on with any number of processes, or none,
and its bounds are known at any time. A round takes about a second: short beside the search, long beside what the parts
take to travel. Each process gets no more parts than it can work on in a round.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.engines.branch_and_bound.scout import Scout
from netopt.engines.branch_and_bound.search import OpenParts, Problem, Search, Watch
from netopt.proof.trail import SILENT, Trail

if TYPE_CHECKING:
    from threadpoolctl import threadpool_limits

#: Makes a search; a class or a function of a module.
Maker = Callable[[Problem, Watch], Search[Any]]

#: Seconds of a round.
ROUND = 1.0
#: Parts that a process gets at least, and in a round for each that it bounded in the one before.
_LEAST, _RESERVE = 64, 2.0
#: Seconds that a late answer is waited for beyond the round's end; a step of a large network may take that long.
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What one process is asked.

    Attributes
    ----------
    made_from : the pickled (maker, problem); the same in every round.
    digest : of `made_from`.
    parts : to work on.
    enough : (d,) as `Watch.enough`.
    seconds : after which it ends.
    trail : to be told what happens.
    """

    made_from: bytes
    digest: bytes
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


class Team:
    """Processes beside this one.

    Parameters
    ----------
    make_executor : starts them; called when a search is first found worth the start.
    count : how many there are.
    """

    def __init__(self, make_executor: Callable[[], Executor], count: int) -> None:
        self.count = count
        self._make_executor = make_executor
        self._executor: Executor | None = None
        self._started: list[Future[None]] = []
        self._limits: threadpool_limits | None = None
        self._broken = False
        self._pickled: tuple[Problem, Maker, bytes, bytes] | None = None
        self._rates: dict[bytes, float] = {}

    def ready(self) -> bool:
        """Return whether the processes can work; the first call starts them, and does not wait."""
        if self._executor is None:
            from threadpoolctl import threadpool_limits

            self._executor = self._make_executor()
            self._started = [self._executor.submit(load) for _ in range(self.count)]
            self._limits = threadpool_limits(limits=1)  # the other cores are the processes'
        return not self._broken and all(future.done() for future in self._started)

    def close(self) -> None:
        """End the processes."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        if self._limits is not None:
            self._limits.restore_original_limits()

    def round(self, search: Search[Any], make: Maker, deadline: float, most: int | None) -> None:
        """Advance a search that `make` made, here and in the other processes, until a value of `time.monotonic`."""
        assert self._executor is not None
        begun = time.monotonic()
        seconds = max(0.0, min(ROUND, deadline - begun))
        made_from, digest = self._pickle(search.problem, make)
        rest, shares = self._deal(search.open, digest, search.watch.enough())
        search.open = shares[0]
        before = search.bounded
        enough, trail = search.watch.enough(), search.trail
        tasks = [Task(made_from, digest, part, enough, seconds, trail.fork()) for part in shares[1:] if part.count]
        futures = [self._executor.submit(work, task) for task in tasks]
        search.advance(begun + seconds, most)
        self._rates[digest] = max(1.0, (search.bounded - before) / max(time.monotonic() - begun, 1e-3))
        open_parts = rest.then(search.open)
        for task, future in zip(tasks, futures, strict=True):
            report = self._report(future, search.watch)
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

    def _report(self, future: Future[Report], watch: Watch) -> Report | None:
        """Wait for an answer; None when the watch says stop, or no answer comes: the search then goes on alone."""
        end = time.monotonic() + _PATIENCE
        while not wait([future], timeout=0.02).done:
            self._broken |= time.monotonic() > end
            if watch.stopped() or self._broken:
                future.cancel()
                return None
        try:
            return future.result()
        except (BrokenExecutor, CancelledError):  # the process died, perhaps for memory
            self._broken = True
            return None

    def _pickle(self, problem: Problem, make: Maker) -> tuple[bytes, bytes]:
        kept = self._pickled
        if kept is None or kept[0] is not problem or kept[1] is not make:
            made_from = pickle.dumps((make, replace(problem, trail=SILENT)), protocol=5)
            kept = self._pickled = problem, make, made_from, hashlib.sha256(made_from).digest()
        return kept[2], kept[3]

    def _deal(self, parts: OpenParts, digest: bytes, enough: FloatArray) -> tuple[OpenParts, list[OpenParts]]:
        """Return what stays undealt, and a share for each process, this one first: the parts furthest from closed."""
        each = max(_LEAST, int(_RESERVE * self._rates.get(digest, 0.0) * ROUND))
        dealt = min(parts.count, each * (self.count + 1))
        excess = np.where(np.isposinf(enough), -np.inf, parts.upper - np.where(np.isposinf(enough), 0.0, enough))
        order: IntArray = np.argsort(-excess.max(axis=1), kind="stable")
        shares = [parts.take(np.sort(order[k : dealt : self.count + 1])) for k in range(self.count + 1)]
        return parts.take(np.sort(order[dealt:])), shares


def load() -> None:
    """Do nothing: to be called, it has to be imported, and with it what every search needs."""


_KEPT = threading.local()


def work(task: Task) -> Report:
    """Advance a search over a task's parts; runs in another process, which keeps the search for the next task."""
    kept: tuple[bytes, Search[Any], _Shift] | None = getattr(_KEPT, "search", None)
    if kept is None or kept[0] != task.digest:
        make, problem = pickle.loads(task.made_from)
        shift = _Shift(problem)
        kept = _KEPT.search = task.digest, make(problem, shift), shift
    _, search, shift = kept
    shift.begin(task)
    search.open, search.trail = task.parts, task.trail
    search.closed_upper = np.full(task.enough.size, -np.inf)
    search.bounded = 0
    search.advance(time.monotonic() + task.seconds)
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
