"""Proofs by splitting ReLUs: a relaxed network in which every ReLU is two lines, made exact neuron by neuron.

Branch and bound over `netopt.bounds.phases`: no model, no solver, a batch of parts at once, the loosest first, so that
their largest bound is a dual bound at any time. The neuron whose line adds most to a part's bound is split next (after
Bunel, Lu, Turkaslan, Torr, Kohli, Kumar, *Branch and bound for piecewise linear neural network verification*, JMLR
2020).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.parts import Parts
from netopt.bounds.phases import PhaseBounds
from netopt.proof.trail import SILENT, Trail

#: Steps on the slopes and multipliers of the whole domain, and of a part.
_FIRST_STEPS, _STEPS = 20, 10
#: Most parts bounded at once, and bytes that the open parts may take.
_BATCH, _OPEN_BYTES = 256, 2**28


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Parts that are not proved yet, their bounds, what to split, and what a proof log calls them."""

    parts: Parts
    upper: FloatArray
    looseness: FloatArray
    number: IntArray

    def take(self, which: IntArray | slice) -> _Block:
        return _Block(self.parts.take(which), self.upper[which], self.looseness[which], self.number[which])

    def then(self, other: _Block) -> _Block:
        return _Block(
            self.parts.then(other.parts),
            np.concatenate([self.upper, other.upper]),
            np.concatenate([self.looseness, other.looseness]),
            np.concatenate([self.number, other.number]),
        )


@dataclass(slots=True, eq=False)
class PhaseSplit:
    """One search.

    Attributes
    ----------
    bounds : of one objective over parts.
    enough : returns the bound that suffices; it may rise.
    should_stop : asked between steps.
    on_bound, on_points : told of every better bound, and of members (k, n) of the domain.
    trail, objective : of a proof log, and what it calls the objective.
    upper : smallest proven bound so far.
    parts : number of parts bounded.
    """

    bounds: PhaseBounds
    enough: Callable[[], float]
    should_stop: Callable[[], bool]
    on_bound: Callable[[float], None]
    on_points: Callable[[FloatArray], None]
    trail: Trail = SILENT
    objective: int = 0
    upper: float = np.inf
    parts: int = 0
    _closed: float = -np.inf
    _waiting: list[tuple[float, int, _Block]] = field(default_factory=list)
    _count: int = 0
    _number: itertools.count[int] = field(default_factory=itertools.count)

    def run(self) -> None:
        """Split until the bound is at most what suffices, or as far as it goes; once stopped, call it again."""
        whole = self.bounds.whole()
        most, batch = _OPEN_BYTES // (32 * max(whole.phase.size, 1)), min(_BATCH, self.bounds.batch)
        if not self.parts:
            self._bound(whole, _FIRST_STEPS, np.full(1, np.inf), self.trail.whole())
        while self._waiting and self._count <= most and not self.should_stop():
            block = self._pop(batch)
            if np.isneginf(block.looseness.max(axis=1, initial=-np.inf)).any():
                return  # nothing is left to split in a part that is open
            neuron = block.looseness.argmax(axis=1)
            number = self.trail.split_phase(block.number, self.bounds.neurons[neuron])
            self._bound(block.parts.halves(neuron), _STEPS, np.tile(block.upper, 2), number)

    def _pop(self, batch: int) -> _Block:
        """Take about the `batch` loosest parts."""
        _, _, block = heapq.heappop(self._waiting)
        while self._waiting and block.upper.size + self._waiting[0][2].upper.size <= batch:
            block = block.then(heapq.heappop(self._waiting)[2])
        self._count -= block.upper.size
        return block

    def _bound(self, parts: Parts, steps: int, known: FloatArray, number: IntArray) -> None:
        """Bound parts (halves of parts with the bounds `known`), keep the open ones, note the largest bound of all."""
        answer = self.bounds.bound(parts, steps, np.array([self.enough()]), self.should_stop)
        self.parts += parts.count
        self.on_points(answer.points)
        upper = np.minimum(answer.upper, known)
        proved = upper <= self.enough()
        self._log(parts, number, np.flatnonzero(proved))
        self._closed = max(self._closed, float(upper[proved].max(initial=-np.inf)))
        left = np.flatnonzero(~proved)
        order = left[np.argsort(-upper[left])]
        block = _Block(parts, upper, answer.looseness, number)
        for half in (order[: (order.size + 1) // 2], order[(order.size + 1) // 2 :]):
            if half.size:
                heapq.heappush(self._waiting, (-upper[half[0]], next(self._number), block.take(half)))
        self._count += order.size
        largest = max(self._closed, -self._waiting[0][0] if self._waiting else -np.inf)
        if largest < self.upper:
            self.upper = largest
            self.on_bound(largest)

    def _log(self, parts: Parts, number: IntArray, proved: IntArray) -> None:
        """Tell the proof log what closes parts."""
        if self.trail.silent:
            return
        closed = parts.take(proved)
        self.trail.close(
            number[proved],
            np.full(proved.size, self.objective),
            weights=closed.weight,
            slope=closed.slope,
            multiplier=closed.multiplier,
            neurons=self.bounds.neurons,
        )
