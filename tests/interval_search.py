"""A search small enough to be checked by hand: x (1 - x) over intervals, bounded by interval arithmetic."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.compute import compute_bounds
from netopt.engines.branch_and_bound.search import Problem, Search, Watch
from netopt.engines.objective import SlackObjective
from netopt.network.build import from_weights
from netopt.specification.box import Box


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Parts of [0, 1] and the bound of each."""

    low: FloatArray
    high: FloatArray
    upper: FloatArray

    @property
    def count(self) -> int:
        return len(self.low)

    def take(self, which: IntArray | BoolArray | slice) -> Self:
        return type(self)(self.low[which], self.high[which], self.upper[which])

    def then(self, other: Self) -> Self:
        pairs = ((self.low, other.low), (self.high, other.high), (self.upper, other.upper))
        return type(self)(*(np.concatenate(pair) for pair in pairs))


class IntervalSearch(Search[Intervals]):
    """Halves intervals, 32 at a time, until ``high * (1 - low)`` is small enough: largest value 0.25, at 0.5."""

    def __init__(self, problem: Problem, watch: Watch) -> None:
        super().__init__(problem, watch, Intervals(np.zeros(1), np.ones(1), np.full((1, 1), np.inf)))

    def advance(self, deadline: float | None, most: int | None = None) -> None:
        last = np.inf if most is None else self.bounded + most
        while not (self.finished or self.watch.stopped() or self.bounded >= last):
            if deadline is not None and time.monotonic() >= deadline:
                return
            batch, self.open = self.open.take(slice(0, 32)), self.open.take(slice(32, None))
            upper = np.minimum(batch.upper, (batch.high * (1.0 - batch.low))[:, None])
            self.bounded += batch.count
            done = upper[:, 0] <= self.watch.enough()[0]
            self.closed_upper = np.maximum(self.closed_upper, upper[done].max(axis=0, initial=-np.inf))
            low, high, upper = batch.low[~done], batch.high[~done], upper[~done]
            middle = (low + high) / 2.0
            if low.size:
                self.watch.seen(0, middle[:, None])
            halves = Intervals(low, middle, upper).then(Intervals(middle, high, upper))
            self.open = self.open.then(halves)


def interval_problem() -> Problem:
    """Return a problem over [0, 1]; the search above does not look at its network."""
    network = from_weights([[[1.0]]], [[0.0]])
    box = Box(np.zeros(1), np.ones(1))
    return Problem(network, box, compute_bounds(network, box), (SlackObjective.linear(np.ones(1)),))
