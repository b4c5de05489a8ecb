r"""Input splitting: boxes bounded in batches by CROWN, clipped by the bounds themselves, halved where it pays.

Every part is a box about one objective :math:`t = \min_i s_i`. CROWN gives linear functions :math:`U_i \ge s_i` over
it. Where some :math:`U_i` is at most what suffices, so is t: the box shrinks to what these half-spaces leave, and by
weak duality a combination of them may leave nothing (Zhou et al., *Clip-and-Verify*, NeurIPS 2025).

What is left is halved along the input to which most of the looseness of the lowest :math:`U_i` is due. Each neuron's
lines add at most ``|coefficient| * distance from the ReLU``; that is shared out by the squares of the ranges which the
neuron's own linear bounds have along the inputs. Gradients, or the slopes of the bounds, tell where the *network*
changes, which is not where its relaxation is loose: they take up to a hundred times as many boxes.

Parts go in float32 with their rounding errors added up, and again in float64 where these might decide.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.half_spaces import clip, largest_within
from netopt.engines.branch_and_bound.box_evaluation import Evaluation, in_both_precisions
from netopt.engines.branch_and_bound.box_parts import BoxParts, SideBySide
from netopt.engines.branch_and_bound.domain_rows import DomainCuts
from netopt.engines.branch_and_bound.open_boxes import OpenBoxes
from netopt.engines.branch_and_bound.search import Problem, Search, Watch
from netopt.engines.objective import rows_of

#: Most boxes and bytes of one round, and the seconds it may take.
_BATCH, _BYTES, _SECONDS = 256, 2**26, 0.2
#: Longer rounds are made larger while a box then takes this share of the time, and smaller beyond this many seconds.
_FASTER, _LONGEST = 0.75, 1.0
#: A box this narrow, relative to the whole or to its numbers, in every input is not split any more.
NARROWEST, _RESOLUTION = 1e-7, 1e-14


class InputSplit(Search[BoxParts]):
    """Splits the box around the domain; complete but for points where an objective only just reaches what suffices."""

    def __init__(self, problem: Problem, watch: Watch) -> None:
        network, domain = problem.network, problem.domain
        self._span = domain.upper - domain.lower
        self._free = np.flatnonzero(self._span > 0.0)
        self._objectives = rows_of(problem.objectives)
        cuts = DomainCuts(domain)
        self._cuts = None if cuts.none or not problem.trail.silent else cuts  # logs know of none but the objectives'
        self._fast, self._exact = in_both_precisions(network, self._objectives, self._free)
        entries = network.relu_count * (48 + 4 * self._free.size) + 64 * network.input_size
        self._batch = int(np.clip(_BYTES // max(1, entries), 1, _BATCH))
        self._most, self._pace = self._batch, np.inf
        super().__init__(problem, watch, self._whole(problem))

    @property
    def open(self) -> BoxParts:
        """The parts that are not closed."""
        return self._open.all()

    @open.setter
    def open(self, parts: BoxParts) -> None:
        self._open = OpenBoxes(parts, self._batch)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to split."""
        return self._open.count == 0

    @property
    def upper(self) -> FloatArray:
        """Proven upper bounds of the objectives over the whole domain, (d,)."""
        largest: FloatArray = np.maximum(self.closed_upper, self._open.upper())
        return largest

    def advance(self, deadline: float | None, most: int | None = None) -> None:
        """See `Search`."""
        last = np.inf if most is None else self.bounded + most
        end = np.inf if deadline is None else deadline

        def stopped() -> bool:
            return self.watch.stopped() or time.monotonic() >= end

        rounds = 0
        while not (self.finished or stopped() or self.bounded >= last):
            begun = time.monotonic()
            if rounds and begun + self._pace * min(self._most, self._open.count) > end:
                return  # a round that is broken off is lost
            rounds += 1
            batch = self._open.pop(self._most)
            self._round(batch, stopped)
            self._adapt(batch.count, time.monotonic() - begun)

    def _adapt(self, count: int, seconds: float) -> None:
        """Choose the size of the next round: a large network's layers cost much, but hardly more for a few boxes."""
        pace, before = seconds / count, self._pace
        self._pace = pace
        if seconds <= _SECONDS or pace < _FASTER * before:
            self._most = min(self._batch, max(self._most, 2 * count))
        else:
            self._most = max(1, count // 2 if seconds > _LONGEST else count)

    def _whole(self, problem: Problem) -> BoxParts:
        count = len(problem.objectives)
        pairs = {name: (lower[None], upper[None]) for name, (lower, upper) in problem.bounds.pairs.items()}
        lower, upper = SideBySide(problem.network).pack(pairs, 1)
        return BoxParts(
            low=np.repeat(problem.domain.lower[None], count, axis=0),
            high=np.repeat(problem.domain.upper[None], count, axis=0),
            objective=np.arange(count),
            value=np.full(count, np.inf),
            known_lower=np.repeat(lower, count, axis=0),
            known_upper=np.repeat(upper, count, axis=0),
            number=problem.trail.whole(count),
            objectives=count,
        )

    def _round(self, batch: BoxParts, stopped: Callable[[], bool]) -> None:
        """Bound a batch and put back what is open of it; all of it when it had to end on the way."""
        enough = self.watch.enough()
        batch = self._close(batch, batch.value <= enough[batch.objective])
        if not batch.count:
            return
        fast = self._fast.evaluate(batch, enough[batch.objective], stopped)
        evaluations = [(fast, np.flatnonzero(~fast.doubtful))]
        if fast.doubtful.any():
            again = fast.parts.take(fast.doubtful)
            exact = self._exact.evaluate(again, enough[again.objective], stopped)
            evaluations.append((exact, np.arange(again.count)))
        if stopped():
            self._open.push(batch)
            return
        self.bounded += batch.count
        for evaluation, which in evaluations:
            self._settle(evaluation, which, enough)

    def _settle(self, found: Evaluation, which: IntArray, enough: FloatArray) -> None:
        """Close, clip and split some of the parts of an evaluation."""
        closed = found.parts.value[which] <= enough[found.parts.objective[which]]
        self._close(found.parts.take(which), closed)
        which = which[~closed]
        parts, left = self._clipped(found, which, enough)
        parts, which = self._without_narrow(parts, which[left])
        if parts.count:
            self._tell(parts, found.slope[which, found.hardest[which]])
            self._open.push(self._halved(parts, found.promise(which)))

    def _close(self, parts: BoxParts, closed: BoolArray, weights: FloatArray | None = None) -> BoxParts:
        """Note which parts are closed, and by which combinations of rows; return the others."""
        done = parts.take(closed)
        self.trail.close(done.number, done.objective, weights=weights)
        np.maximum.at(self.closed_upper, done.objective, done.value)
        return parts.take(~closed)

    def _clipped(self, found: Evaluation, which: IntArray, enough: FloatArray) -> tuple[BoxParts, IntArray]:
        """Return what clipping leaves of some parts, and which of them it is."""
        parts = found.parts.take(which)
        limit = enough[parts.objective]
        row, hardest = np.arange(len(which)), found.hardest[which]
        slope, level = found.slope[which, hardest], found.level[which, hardest]
        cuts = found.above(limit, which)
        if self._cuts is not None:
            cuts = cuts.beside(self._cuts.of(parts.low, parts.high, slope))
        low, high, empty = clip(parts.low, parts.high, cuts)
        shrunk = ((low > parts.low) | (high < parts.high)).any(axis=1)
        np.maximum.at(self.closed_upper, parts.objective[shrunk], limit[shrunk])
        bound, weights = largest_within(low, high, slope, level, cuts)
        weights = weights[:, : found.level.shape[1]]
        weights[row, hardest] += 1.0
        parts = replace(parts, low=low, high=high, value=np.where(empty, -np.inf, np.minimum(parts.value, bound)))
        closed = parts.value <= limit
        # What the combination bounds is the objective wherever it is not below the limit anyway.
        ended = replace(parts, value=np.maximum(parts.value, limit))
        self._close(ended, closed, weights[closed])
        return ended.take(~closed), np.flatnonzero(~closed)

    def _without_narrow(self, parts: BoxParts, which: IntArray) -> tuple[BoxParts, IntArray]:
        """Give up parts too narrow to split, and what else is open of their objectives."""
        width = parts.high - parts.low
        finest = np.maximum(NARROWEST * self._span, _RESOLUTION * np.maximum(np.abs(parts.low), np.abs(parts.high)))
        narrow = (width <= finest).all(axis=1)
        if not narrow.any():
            return parts, which
        lost = np.zeros(parts.objectives, dtype=bool)
        lost[parts.objective[narrow]] = True
        waiting = self._open.all()
        for given_up in (parts, waiting):
            gone = given_up.take(lost[given_up.objective])
            np.maximum.at(self.closed_upper, gone.objective, gone.value)
        self.open = waiting.take(~lost[waiting.objective])
        kept = ~lost[parts.objective]
        return parts.take(kept), which[kept]

    def _tell(self, parts: BoxParts, slope: FloatArray) -> None:
        """Show the middles of open boxes, and the corners where the function above the hardest row is largest."""
        corner = np.where(slope > 0.0, parts.high, parts.low)
        points = np.concatenate([0.5 * parts.low + 0.5 * parts.high, corner])
        objective = np.tile(parts.objective, 2)
        inside = self.problem.domain.contains(points)
        for k in np.flatnonzero(np.bincount(objective[inside])):
            self.watch.seen(int(k), points[inside & (objective == k)])

    def _halved(self, parts: BoxParts, promise: FloatArray) -> BoxParts:
        """Return the halves of parts, each cut along the free input that promises most (the widest if none does)."""
        row = np.arange(parts.count)
        width = (parts.high - parts.low)[:, self._free]
        relative = width / self._span[self._free]
        promise = np.where(np.isfinite(promise) & (width > 0.0), promise, 0.0)
        hopeless = promise.max(axis=1) <= 0.0
        promise[hopeless] = relative[hopeless]
        axis = self._free[promise.argmax(axis=1)]
        middle = 0.5 * parts.low[row, axis] + 0.5 * parts.high[row, axis]
        numbers = self.trail.split_axis(parts.number, axis, middle)
        low, high = parts.low.copy(), parts.high.copy()
        high[row, axis] = low[row, axis] = middle
        below = replace(parts, high=high, number=numbers[: parts.count])
        return below.then(replace(parts, low=low, number=numbers[parts.count :]))
