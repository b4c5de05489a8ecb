"""Proofs by splitting ReLUs: a relaxed network in which every ReLU is two lines, made exact neuron by neuron.

Branch and bound over `netopt.bounds.phases`: no model, a batch of parts at once, those furthest from closed first, so
that their largest bound is a dual bound at any time. A part in which no line is loose any more is left to a linear
program (`netopt.engines.branch_and_bound.leaves`), so that the search ends with the exact maximum.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.bounds.phases import PhaseBounds
from netopt.engines.branch_and_bound.branching import candidates, choose
from netopt.engines.branch_and_bound.domain_rows import ROWS, in_network
from netopt.engines.branch_and_bound.leaves import LeafPrograms
from netopt.engines.branch_and_bound.open_phases import OpenPhases
from netopt.engines.branch_and_bound.search import Problem, Search, Watch
from netopt.engines.objective import rows_of
from netopt.specification.polytope import Polytope

#: Steps on the slopes and multipliers of the whole domain, and of a part.
_FIRST_STEPS, _STEPS = 20, 8
#: Most parts bounded at once, and how many are worth a batch's overhead: fewer are split on several neurons at once.
_BATCH, _FILL = 256, 32
#: Most neurons a part is split on at once.
_AT_ONCE = 3
#: Numbers in open parts from which on those nearest to closed are split first, so that few new ones come.
_MANY = 2**26


class PhaseSplit(Search[OpenPhases]):
    """ReLU splitting of several objectives at once."""

    def __init__(self, problem: Problem, watch: Watch) -> None:
        boxed = in_network(problem) if isinstance(problem.domain, Polytope) else problem
        self._bounds = PhaseBounds(
            boxed.network, boxed.domain, boxed.bounds, rows_of(problem.objectives), problem.device
        )
        self._leaves = LeafPrograms(boxed, self._bounds)
        whole = self._bounds.whole()
        whole.phase[:, self._bounds.ground.columns.get(ROWS, slice(0))] = 1
        super().__init__(problem, watch, OpenPhases.whole(whole, problem.trail.whole(whole.count)))

    def advance(self, deadline: float | None, most: int | None = None) -> None:
        """See `Search`."""
        last = None if most is None else self.bounded + most

        def stopped() -> bool:
            return self.watch.stopped() or (deadline is not None and time.monotonic() >= deadline)

        while not (self.finished or stopped() or (last is not None and self.bounded >= last)):
            enough = self.watch.enough()
            self._drop(enough)
            batch = self._pop(enough)
            tight = (batch.tried < 0).all(axis=1) & ~batch.fresh
            steps: tuple[tuple[BoolArray, Callable[..., None]], ...] = (
                (batch.fresh, self._begin),
                (tight, self._solve),
                (~(batch.fresh | tight), self._split),
            )
            for which, step in steps:
                if which.any():
                    step(batch.take(which), enough, stopped)

    def _drop(self, enough: FloatArray) -> None:
        """Close parts whose bounds have come to suffice."""
        done = self.open.bound <= enough[self.open.parts.objective]
        if done.any():
            self._note(self.open.take(done))
            self.open = self.open.take(~done)

    def _pop(self, enough: FloatArray) -> OpenPhases:
        """Take a batch of the open parts: those furthest from closed, or the nearest where there are many."""
        size = max(1, min(_BATCH, self._bounds.batch) // 2)
        if self.open.count <= size:
            batch, self.open = self.open, self.open.take(slice(0, 0))
            return batch
        missing = self.open.bound - enough[self.open.parts.objective]
        order = missing if self.open.parts.phase.size > _MANY else -missing
        rest = np.ones(self.open.count, dtype=bool)
        rest[np.argpartition(order, size - 1)[:size]] = False
        batch, self.open = self.open.take(~rest), self.open.take(rest)
        return batch

    def _begin(self, batch: OpenPhases, enough: FloatArray, stopped: Callable[[], bool]) -> None:
        """Bound parts for the first time."""
        self._bound(replace(batch, fresh=np.zeros(batch.count, dtype=bool)), _FIRST_STEPS, enough, stopped)

    def _split(self, batch: OpenPhases, enough: FloatArray, stopped: Callable[[], bool]) -> None:
        """Split every part on the neuron that promises most, or on several where the batch is small."""
        ranked = choose(self._bounds, batch.parts, batch.tried, enough)
        distinct = int((batch.tried >= 0).sum(axis=1).min())
        at_once = int(np.clip(np.log2(_FILL / batch.count), 1, min(_AT_ONCE, distinct)))
        for k in range(at_once):
            neuron = np.tile(ranked[:, k], 2**k)
            batch = batch.halves(neuron, self.trail.split_phase(batch.number, self._bounds.neurons[neuron]))
        self._bound(batch, _STEPS, enough, stopped)

    def _bound(self, batch: OpenPhases, steps: int, enough: FloatArray, stopped: Callable[[], bool]) -> None:
        """Bound parts; keep the open ones."""
        answer = self._bounds.bound(batch.parts, steps, enough, stopped)
        self.bounded += batch.count
        batch = replace(batch, bound=np.minimum(answer.upper, batch.bound))
        closed = batch.bound <= enough[batch.parts.objective]
        self._close(batch.take(closed))
        batch = replace(batch, tried=candidates(batch.parts, answer.looseness)).take(~closed)
        self.open = self.open.then(batch)
        for objective in np.flatnonzero(np.bincount(batch.parts.objective)):
            self._show(int(objective), answer.points[~closed][batch.parts.objective == objective])

    def _solve(self, batch: OpenPhases, enough: FloatArray, stopped: Callable[[], bool]) -> None:
        """Solve the linear program of every part; where that does not close it, split it on or give it up."""
        for k in range(batch.count):
            part = batch.take(slice(k, k + 1))
            answer = self._leaves.solve(part.parts, stopped)
            if answer is None:
                self.open = self.open.then(batch.take(slice(k, None)))
                return
            self.bounded += 1
            found, known = answer
            self._show(int(found.objective[0]), known.points)
            bound, tried = np.minimum(known.upper, part.bound), candidates(found, known.looseness)
            part = replace(part, parts=found, bound=bound, tried=tried)
            if part.bound[0] <= self.watch.enough()[part.parts.objective[0]]:
                self._close(part)
            elif (part.tried < 0).all():
                self._note(part)
            else:
                self.open = self.open.then(replace(part, parts=found.in_single()))

    def _show(self, objective: int, points: FloatArray) -> None:
        """Show members of the domain near points of its box."""
        domain = self.problem.domain
        self.watch.seen(objective, domain.project(points) if isinstance(domain, Polytope) else points)

    def _close(self, parts: OpenPhases) -> None:
        """Write down what closes parts."""
        self._note(parts)
        if not self.trail.silent:
            found = parts.parts
            self.trail.close(
                parts.number,
                found.objective,
                weights=found.weight,
                slope=found.slope,
                multiplier=np.where(found.phase == 0, 0.0, found.multiplier),
                neurons=self._bounds.neurons,
            )

    def _note(self, parts: OpenPhases) -> None:
        """Note the bounds of parts that are not open any more."""
        np.maximum.at(self.closed_upper, parts.parts.objective, parts.bound)
