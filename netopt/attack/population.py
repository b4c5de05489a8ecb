"""A population of local maxima that are recombined: points between two of them, climbed from again.

Local maxima of a network over a box share most of their good coordinates, so that a point between two of them lies in a
better basin than a random one: a memetic algorithm (Moscato 1989; Strasser, Goldman 2014 for the recombination of
local optima), with gradient climbs as the local search.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.attack.ascent import Best
from netopt.attack.climb import Climber
from netopt.attack.objective import SlackBatch
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball

#: Members kept.
_KEPT = 64
#: Lengths of the steps of a first climb, which crosses the domain, and of a child's, which stays nearby.
_FIRST_STEPS = np.concatenate([np.full(4, 1.0), np.geomspace(0.5, 0.005, 45)])
_STEPS = np.geomspace(0.2, 0.005, 40)
#: The same of a climb from a point that is worth starting from, but need not be near a good one.
_GIVEN_STEPS = np.geomspace(0.5, 0.005, 40)
#: Where a step towards a vertex solves a program for each point, climbs take every so many of these steps.
_SPARED = 4
#: Share of a child's inputs that are drawn anew.
_MUTATED = 0.03


class Population:
    """Local maxima found so far, and the ways of getting more.

    Parameters
    ----------
    batch : points climbed at a time.
    generator : the only source of randomness.
    best : takes note of every point kept, evaluated in float64.
    stopped : asked throughout.
    """

    def __init__(
        self,
        network: Network,
        domain: Domain,
        objective: SlackBatch,
        *,
        batch: int,
        generator: np.random.Generator,
        best: Best,
        stopped: Callable[[], bool],
    ) -> None:
        self._network, self._domain, self._objective = network, domain, objective
        self._climber = Climber.of(network, domain, objective)
        self._batch, self._generator, self._best, self._stopped = batch, generator, best, stopped
        self._points = np.empty((0, domain.dimension), dtype=self._climber.kind)
        self._target = np.empty(0, dtype=np.int64)
        self._value = np.empty(0)

    @property
    def top(self) -> float:
        """Value of the best member, -inf before the first."""
        return float(self._value.max(initial=-np.inf))

    def elite(self, count: int) -> tuple[FloatArray, IntArray]:
        """Return the best members and the disjuncts they climbed."""
        return self._points[:count].copy(), self._target[:count].copy()

    def add(self, points: FloatArray, target: IntArray) -> None:
        """Evaluate members (k, n) of the domain found elsewhere, and keep them where they are good enough."""
        members = self._domain.project(points.astype(np.float64))
        values = self._objective.values(self._network, members)
        self._best.update(members, values)
        value = np.concatenate([self._value, values[np.arange(len(members)), target]])
        value, order = np.unique(-value, return_index=True)  # best first, each value once
        order = order[:_KEPT]
        self._value = -value[:_KEPT]
        self._points = np.concatenate([self._points, members.astype(self._climber.kind)])[order]
        self._target = np.concatenate([self._target, target])[order]

    def seed(self) -> None:
        """Climb from random members, towards the disjuncts in turn, the closest first."""
        order = np.argsort(-self._best.values, kind="stable")
        target = np.resize(order, self._batch)
        start = self._domain.sample(self._generator, self._batch)
        self._grow(start.astype(self._climber.kind), target, _FIRST_STEPS)

    def climb(self, points: FloatArray, target: IntArray) -> None:
        """Climb from given members (k, n) of the domain towards the disjuncts (k,)."""
        self._grow(points.astype(self._climber.kind), target, _GIVEN_STEPS)

    def recombine(self) -> None:
        """Climb from points between two members, with some inputs drawn anew."""
        count, pick = self._batch, self._generator
        first = pick.integers(self._value.size, size=(count, 2)).min(axis=1)  # the better one of two
        second = pick.integers(self._value.size, size=count)
        target = self._target[first]
        share = pick.random((count, 1), dtype=np.float32)
        if isinstance(self._climber.domain, Box):
            by_input = pick.random(count) < 0.5  # inputs of one or the other, or points on the line between them
            share = np.where(by_input[:, None], pick.random((count, self._points.shape[1]), np.float32) < share, share)
        child = self._points[first]
        child += (share * (self._points[second] - child)).astype(self._climber.kind)
        self._grow(self._mutated(child), target, _STEPS)

    def _mutated(self, child: FloatArray) -> FloatArray:
        """Draw some inputs anew in boxes; elsewhere move a little towards random members."""
        drawn = self._domain.sample(self._generator, len(child))
        if isinstance(self._climber.domain, Box):
            chosen = self._generator.random(child.shape, dtype=np.float32) < _MUTATED
            np.copyto(child, drawn, where=chosen, casting="same_kind")
            return child
        return child + (_MUTATED * self._generator.random((len(child), 1)) * (drawn - child)).astype(child.dtype)

    def _grow(self, start: FloatArray, target: IntArray, steps: FloatArray) -> None:
        if not isinstance(self._climber.domain, Box | L1Ball):
            steps = steps[::_SPARED]
        spread = (self._generator.random(len(target)) < 0.5).astype(np.float64)
        points, _ = self._climber.climb(start, target, spread, steps, self._stopped)
        self.add(points, target)
