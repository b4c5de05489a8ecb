"""All primal heuristics on one problem, taking turns: what improves goes on, what does not rests.

A turn is some generations of a population of local maxima, a round of restarts, a walk through linear regions from the
best point, and linear programs over sampled regions; the first one also climbs from the points that bounds lead to.
Where a step solves a program, restarts come before the population. A population that stalls is left; the next one
starts anew, every third from the best members of the two before it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray
from netopt.attack.ascent import Best
from netopt.attack.gradient_ascent import RestartSearch
from netopt.attack.objective import SlackBatch
from netopt.attack.population import Population
from netopt.attack.relaxed_start import relaxed_starts
from netopt.attack.sampled_regions import sampled_regions
from netopt.attack.stopping import stopping
from netopt.attack.walk import walk
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball

#: Points and generations of a turn where each step is quick, and where it solves a program for each point.
_BATCH, _FEW_POINTS = 32, 4
_GENERATIONS, _FEW_GENERATIONS = 10, 2
#: Generations without an improvement after which a population is left.
_STALLED = 10
#: An improvement smaller than this, relative to 1 + |value|, counts as none.
_LEAST_GAIN = 1e-5
#: Members a population hands on.
_ELITE = 32
#: Share of the time that one walk may take, and the least it gets, in seconds.
_WALK_SHARE, _WALK_LEAST = 0.2, 0.5
#: Sampled regions in a turn.
_REGIONS = 2
#: Most turns that what did not improve rests.
_LONGEST_REST = 2
#: Turns without an improvement after which a search without a deadline ends.
_PATIENCE = 4


def portfolio(
    network: Network,
    domain: Domain,
    objective: SlackBatch,
    *,
    generator: np.random.Generator,
    deadline: float | None = None,
    starts: FloatArray | None = None,
    interrupt: threading.Event | None = None,
    target: float = np.inf,
    rounds: int | None = None,
    best: Best | None = None,
) -> Best:
    """Look for points of the domain with a large t of each disjunct, the most promising ones first.

    Parameters
    ----------
    generator : the only source of randomness; without a deadline the same one gives the same result.
    deadline : value of `time.monotonic` to stop at, None for none.
    starts : (k, n) points to start from besides the built-in ones.
    interrupt : stops the search once set.
    target : the search stops at a point with this t.
    rounds : most turns; None goes on to the deadline (without one, until four turns bring nothing).
    best : takes note of every point seen, for a caller that wants to hear of them as they come; None for a new one.

    Returns
    -------
    Best
        For each disjunct the best member seen and its t in float64.

    Raises
    ------
    InputError
        The objective, the domain and the network do not fit, or the domain is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.attack.objective import SlackBatch
    >>> from netopt.attack.portfolio import portfolio
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0], [1.0]], [[1.0, -2.0]]], [[0.0, -0.5], [0.0]])  # rises to x = 0.5, then falls
    >>> objective = SlackBatch.linear(np.ones(1))
    >>> best = portfolio(network, Box(np.zeros(1), np.ones(1)), objective, generator=np.random.default_rng(0), rounds=1)
    >>> round(float(best.values[0]), 6)
    0.5
    """
    seen = Best.empty(objective.disjuncts, domain.dimension) if best is None else best
    search = RestartSearch(network, domain, objective, generator, deadline, interrupt, target, seen)
    search.look(starts)
    return _Portfolio(search).run(rounds)


@dataclass(slots=True)
class _Rest:
    """How long something rests that did not improve."""

    turns: int = 0
    left: int = 0

    def due(self) -> bool:
        self.left -= 1
        return self.left < 0

    def note(self, improved: bool) -> None:
        self.turns = 0 if improved else min(max(1, 2 * self.turns), _LONGEST_REST)
        self.left = self.turns


class _Portfolio:
    """The state of one call."""

    def __init__(self, search: RestartSearch) -> None:
        self._search, self._best = search, search.best
        self._quick = isinstance(search.walk, Box | L1Ball)
        self._batch = min(search.most, _BATCH if self._quick else _FEW_POINTS)
        self._generations = _GENERATIONS if self._quick else _FEW_GENERATIONS
        self._island: Population | None = None
        self._archive: list[Population] = []
        self._idle = 0
        self._walked = np.full(self._best.values.size, -np.inf)
        self._restarts, self._sampling = _Rest(), _Rest()
        self._begun = time.monotonic()

    def run(self, rounds: int | None) -> Best:
        number, idle, restarts = 0, 0, 0
        while not self._search.stopped() and (rounds is None or number < rounds):
            before = self._best.values.copy()
            if self._quick:
                self._evolve()
            if self._restarts.due() and not self._search.stopped():
                known = self._best.values.copy()
                self._search.round(restarts)
                self._restarts.note(self._improved(known))
                restarts += 1
            if number == 0 and rounds != 1:
                self._relaxed()
            if not self._quick and (number or rounds != 1):
                self._evolve()
            self._walk()
            if self._sampling.due():
                self._sample()
            number += 1
            idle = 0 if self._improved(before) else idle + 1
            hit = self._best.values.max() >= 0.0 and np.isfinite(self._search.target)
            if hit or (self._search.deadline is None and idle >= _PATIENCE):
                break
        return self._best

    def _improved(self, before: FloatArray) -> bool:
        return bool((self._best.values > before + _LEAST_GAIN * (1.0 + np.abs(before))).any())

    def _relaxed(self) -> None:
        """Climb from the points that bounds lead to, and walk from the best of them."""
        search, objective = self._search, self._search.objective
        if search.stopped():
            return
        starts = relaxed_starts(search.network, search.domain, objective, self._walk_end(), stopped=search.stopped)
        island = self._population()
        island.add(starts.points, starts.target)
        best = np.argsort(-starts.values, kind="stable")[: self._batch]
        island.climb(starts.points[best], starts.target[best])
        if self._island is not None:
            self._island.add(*island.elite(_ELITE))
        points, target = island.elite(1)
        if not search.stopped():
            self._walk_from(search.domain.project(points.astype(np.float64))[0], int(target[0]))

    def _evolve(self) -> None:
        """Run some generations of the population, or of a new one."""
        for _ in range(self._generations):
            if self._search.stopped():
                return
            if self._island is None:
                self._island = self._settle()
                self._idle = 0
                continue
            before = self._island.top
            self._island.recombine()
            gained = self._island.top > before + _LEAST_GAIN * (1.0 + abs(before))
            self._idle = 0 if gained else self._idle + 1
            if self._idle >= _STALLED:
                self._leave(self._island)

    def _settle(self) -> Population:
        """Return a new population: random local maxima, or the best members of the two before."""
        island = self._population()
        if len(self._archive) == 2:
            for old in self._archive:
                island.add(*old.elite(_ELITE))
            self._archive.clear()
            return island
        island.seed()
        if not self._search.stopped():
            island.seed()
        return island

    def _population(self) -> Population:
        search = self._search
        return Population(
            search.network,
            search.domain,
            search.objective,
            batch=self._batch,
            generator=search.generator,
            best=self._best,
            stopped=search.stopped,
        )

    def _leave(self, island: Population) -> None:
        """Walk from a population's best member and put it aside."""
        points, target = island.elite(1)
        disjunct = int(target[0])
        found = self._walk_from(self._search.domain.project(points.astype(np.float64))[0], disjunct)
        island.add(found.points[disjunct][None], np.array([disjunct]))
        self._archive.append(island)
        self._island = None

    def _walk(self) -> None:
        """Walk from the best point of the most promising disjunct, unless that has been done."""
        disjunct = int(self._best.values.argmax())
        value = self._best.values[disjunct]
        if self._search.stopped() or value <= self._walked[disjunct] + _LEAST_GAIN * (1.0 + abs(value)):
            return
        found = self._walk_from(self._best.points[disjunct], disjunct)
        self._walked[disjunct] = self._best.values[disjunct]
        if self._island is not None:
            self._island.add(found.points[disjunct][None], np.array([disjunct]))

    def _walk_from(self, point: FloatArray, disjunct: int) -> Best:
        search = self._search
        found = Best.empty(search.objective.disjuncts, search.domain.dimension)
        end = self._walk_end()
        walk(
            search.network,
            search.domain,
            search.objective,
            disjunct,
            point.copy(),
            best=found,
            stopped=stopping(end, stopped=search.stopped),
            generator=search.generator,
            deadline=end,
        )
        self._best.merge(found)
        return found

    def _walk_end(self) -> float | None:
        deadline = self._search.deadline
        if deadline is None:
            return None
        share = max(_WALK_LEAST, _WALK_SHARE * (deadline - self._begun))
        return min(deadline, time.monotonic() + share)

    def _sample(self) -> None:
        before = self._best.values.copy()
        search = self._search
        sampled_regions(
            search.network,
            search.domain,
            search.objective,
            regions=_REGIONS,
            best=self._best,
            stopped=search.stopped,
            generator=search.generator,
            deadline=self._walk_end(),
        )
        self._sampling.note(self._improved(before))
