"""The two searches that came first, as `Search`: bisection of boxes, splitting of ReLUs row by row."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.phases import PhaseBounds
from netopt.engines.bisection import Bisection
from netopt.engines.branch_and_bound.search import Problem, Search, Watch
from netopt.engines.objective import rows_of
from netopt.engines.phase_split import PhaseSplit
from netopt.specification.box import Box


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Bounds of parts that are kept elsewhere."""

    upper: FloatArray

    @property
    def count(self) -> int:
        """Number of parts."""
        return len(self.upper)

    def take(self, which: IntArray | BoolArray | slice) -> Bounds:
        """Return some of the parts."""
        return Bounds(self.upper[which])

    def then(self, other: Bounds) -> Bounds:
        """Return these parts followed by others."""
        return Bounds(np.concatenate([self.upper, other.upper]))


class BoxHalves(Search[Bounds]):
    """Bisection."""

    def __init__(self, problem: Problem, watch: Watch) -> None:
        super().__init__(problem, watch, Bounds(np.full((1, len(problem.objectives)), np.inf)))
        assert isinstance(problem.domain, Box)
        self._proof = Bisection(problem.network, problem.domain, problem.objectives, watch.seen, self.trail)

    def advance(self, deadline: float | None, most: int | None = None) -> None:
        """See `Search`."""
        limit = 10**12 if most is None else self.bounded + most
        proof = self._proof
        while not (proof.finished or self.watch.stopped() or proof.boxes_bounded >= limit):
            if (proof.upper <= self.watch.enough()).all():
                break
            if deadline is not None and time.monotonic() >= deadline:
                break
            proof.advance(deadline, self.watch.stopped, min(proof.boxes_bounded + 256, limit))
        self.bounded = proof.boxes_bounded
        upper = np.where(proof.closed, np.minimum(proof.upper, np.nextafter(0.0, -1.0)), proof.upper)
        if proof.finished or (upper <= self.watch.enough()).all():
            self.closed_upper, self.open = upper, Bounds(np.empty((0, upper.size)))
        else:
            self.open = Bounds(upper[None])


class LineHalves(Search[Bounds]):
    """ReLU splitting of the most promising row, one objective after another."""

    def __init__(self, problem: Problem, watch: Watch) -> None:
        super().__init__(problem, watch, Bounds(np.full((1, len(problem.objectives)), np.inf)))
        self._waiting = list(range(len(problem.objectives)))
        self._splits = [self._split(k) for k in self._waiting]
        self._deadline: float | None = None

    def advance(self, deadline: float | None, most: int | None = None) -> None:
        """See `Search`."""
        self._deadline = deadline
        while self._waiting and not self._stopped():
            self._splits[self._waiting[0]].run()
            if not self._stopped() or self.open.upper[0, self._waiting[0]] <= self.watch.enough()[self._waiting[0]]:
                self._waiting.pop(0)
        self.bounded = sum(split.parts for split in self._splits)
        if not self._waiting:
            self.closed_upper, self.open = self.open.upper[0], Bounds(np.empty((0, self.closed_upper.size)))

    def _stopped(self) -> bool:
        return self.watch.stopped() or (self._deadline is not None and time.monotonic() >= self._deadline)

    def _split(self, k: int) -> PhaseSplit:
        problem = self.problem

        def note(value: float) -> None:
            self.open.upper[0, k] = min(self.open.upper[0, k], value)

        return PhaseSplit(
            PhaseBounds(problem.network, problem.domain, problem.bounds, rows_of((problem.objectives[k],))),
            enough=lambda: float(self.watch.enough()[k]),
            should_stop=self._stopped,
            on_bound=note,
            on_points=lambda points: self.watch.seen(k, points),
            trail=self.trail,
            objective=k,
        )
