"""Boxes split by their inputs, and by their ReLUs once few of these are unstable.

Input splitting takes few boxes where the network is steep, and very many where the objective stays close to what
suffices over a face of a linear region. There programs over regions are exact. So input splitting begins; what it has
not closed after a moment is handed on, box by box, those with the fewest unstable neurons first, while the two take
turns. Where the whole domain has few unstable neurons, it is handed on at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.engines.branch_and_bound.box_parts import BoxParts
from netopt.engines.branch_and_bound.domain_rows import has_exact_rows
from netopt.engines.branch_and_bound.input_split import InputSplit
from netopt.engines.branch_and_bound.region_parts import RegionParts
from netopt.engines.branch_and_bound.regions import Regions
from netopt.engines.branch_and_bound.search import Problem, Search, Watch

#: Seconds of input splitting before anything is handed on.
_ALONE = 0.25
#: Seconds of a turn, twice as many after one in which nothing was bounded.
_TURN = 0.25
#: Most unstable neurons of a box that is handed on, and boxes at a time.
_UNSTABLE, _AT_ONCE = 30, 1000


@dataclass(frozen=True, slots=True, eq=False)
class MixedParts:
    """Boxes, and after them regions.

    Attributes
    ----------
    lead : seconds that boxes have had beyond those of regions; whoever goes on with the parts goes on from there.
    """

    boxes: BoxParts
    regions: RegionParts
    lead: float

    @property
    def count(self) -> int:
        """Number of parts."""
        return self.boxes.count + self.regions.count

    @property
    def upper(self) -> FloatArray:
        """Proven bounds (count, d), -inf for the objectives a part is not about."""
        return np.concatenate([self.boxes.upper, self.regions.upper])

    def take(self, which: IntArray | BoolArray | slice) -> Self:
        """Return some of the parts; boxes stay in front of regions."""
        places = np.arange(self.count)[which]
        box = places < self.boxes.count
        regions = self.regions.take(places[~box] - self.boxes.count)
        return type(self)(self.boxes.take(places[box]), regions, self.lead)

    def then(self, other: Self) -> Self:
        """Return these parts and others."""
        lead = max(self.lead, other.lead)
        return type(self)(self.boxes.then(other.boxes), self.regions.then(other.regions), lead)


class BoxSplit(Search[MixedParts]):
    """Input splitting and regions on one list of open parts."""

    def __init__(self, problem: Problem, watch: Watch) -> None:
        self._boxes = InputSplit(problem, watch)
        whole = self._boxes.open
        self._regions = Regions(problem, watch, RegionParts.of_boxes(whole.take(slice(0, 0))))
        super().__init__(problem, watch, MixedParts(whole, self._regions.open, 0.0))
        self._turn = _TURN
        self._exact = has_exact_rows(problem.domain)
        if problem.trail.silent:
            self._hand_on()

    @property
    def open(self) -> MixedParts:
        """The parts that are not closed."""
        return MixedParts(self._boxes.open, self._regions.open, self._lead)

    @open.setter
    def open(self, parts: MixedParts) -> None:
        self._boxes.open, self._regions.open, self._lead = parts.boxes, parts.regions, parts.lead

    @property
    def finished(self) -> bool:
        """Whether nothing is left to split."""
        return self._boxes.finished and self._regions.finished

    @property
    def upper(self) -> FloatArray:
        """Proven upper bounds of the objectives over the whole domain, (d,)."""
        largest: FloatArray = np.maximum.reduce([self.closed_upper, self._boxes.upper, self._regions.upper])
        return largest

    def advance(self, deadline: float | None, most: int | None = None) -> None:
        """See `Search`."""
        end, last = np.inf if deadline is None else deadline, None if most is None else self.bounded + most
        while not (self.finished or self.watch.stopped() or time.monotonic() >= end):
            if last is not None and self.bounded >= last:
                return
            search = self._next()
            begun, before = time.monotonic(), search.bounded
            search.trail = self.trail
            search.advance(min(end, begun + self._turn), None if last is None else last - self.bounded)
            self._turn = 2.0 * self._turn if search.bounded == before else _TURN
            seconds = time.monotonic() - begun
            self._lead += seconds if search is self._boxes else -seconds
            self.bounded += search.bounded - before
            self.closed_upper = np.maximum(self.closed_upper, search.closed_upper)
            search.closed_upper = np.full(self.closed_upper.size, -np.inf)

    def _next(self) -> Search[Any]:
        """Return whose turn it is, regions with boxes handed on to them."""
        if self._boxes.finished:
            return self._regions
        behind = self._lead > _ALONE
        if behind and self._regions.open.count < _AT_ONCE:
            self._hand_on()
        return self._regions if behind and not self._regions.finished else self._boxes

    def _hand_on(self) -> None:
        """Move the boxes with the fewest unstable neurons to the regions, where those can be described."""
        if not self._exact:
            return
        waiting = self._boxes.open
        unstable = ((waiting.known_lower < 0.0) & (waiting.known_upper > 0.0)).sum(axis=1)
        order = np.argsort(unstable, kind="stable")[:_AT_ONCE]
        moved = np.zeros(waiting.count, dtype=bool)
        moved[order[unstable[order] <= _UNSTABLE]] = True
        self._boxes.open = waiting.take(~moved)
        self._regions.open = self._regions.open.then(RegionParts.of_boxes(waiting.take(moved)))
