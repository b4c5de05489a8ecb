"""Points that a search shows: evaluated, and the best climbed from as long as that takes a small share of the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from netopt.arrays import FloatArray
from netopt.attack.ascent import Ascent, Best, Direction
from netopt.attack.objective import SlackBatch
from netopt.engines.branch_and_bound.search import Problem
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball

#: Share of the time since the start that climbing may take: a leaf's best point, shown once, must never be missed.
_SHARE = 0.1
#: Points evaluated of those shown at once, points climbed from, and steps of a climb.
_LOOKED_AT, _CLIMBED, _STEPS = 256, 8, 12
#: First step of a climb, as a share of the domain's width.
_STEP = 0.02

#: Called with the position of an objective and a member (n,) of the domain, the best seen so far.
Found = Callable[[int, FloatArray], None]


class Scout:
    """Looks where a search says that an objective may be large. Any thread may call.

    Attributes
    ----------
    best : (d,) largest values seen.
    """

    def __init__(self, problem: Problem, found: Found, stopped: Callable[[], bool]) -> None:
        self.best: FloatArray = np.full(len(problem.objectives), -np.inf)
        self._problem, self._found, self._stopped = problem, found, stopped
        self._climbs = isinstance(problem.domain, Box | L1Ball)  # elsewhere each step would solve a program
        self._begun = time.monotonic()
        self._spent = 0.0
        self._lock = threading.Lock()
        self._batches: dict[int, SlackBatch] = {}

    def seen(self, objective: int, points: FloatArray) -> None:
        """Evaluate some of the points (k, n), climb from the best, report what is better than before."""
        if not len(points):
            return
        with self._lock:
            begun = time.monotonic()
            climbs = self._climbs and self._spent <= _SHARE * (begun - self._begun)
            self._look(objective, points[:: max(1, len(points) // _LOOKED_AT)], climbs=climbs)
            self._spent += time.monotonic() - begun

    def _look(self, objective: int, points: FloatArray, *, climbs: bool) -> None:
        problem = self._problem
        value = problem.objectives[objective].value(points, problem.network.forward(points))
        order = np.argsort(-value)[:_CLIMBED]
        self._report(objective, float(value[order[0]]), points[order[0]])
        if not climbs or self._stopped():
            return
        if objective not in self._batches:
            only = problem.objectives[objective].conjunction
            self._batches[objective] = SlackBatch.of((only,))
        best = Best.empty(1, problem.network.input_size)
        start, count = points[order], order.size
        Ascent(
            network=problem.network,
            domain=problem.domain,
            objective=self._batches[objective],
            start=start,
            target=np.zeros(count, dtype=np.int64),
            spread=np.zeros(count),
            direction=np.full(count, Direction.VERTEX if isinstance(problem.domain, L1Ball) else Direction.SIGNS),
            step=np.full(count, _STEP),
        ).run(_STEPS, best, self._stopped)
        point = best.points[:1]
        value = problem.objectives[objective].value(point, problem.network.forward(point))
        self._report(objective, float(value[0]), point[0])

    def _report(self, objective: int, value: float, point: FloatArray) -> None:
        if value > self.best[objective]:
            self.best[objective] = value
            self._found(objective, point)
