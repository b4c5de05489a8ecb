"""Following a proof: every part that the log names is bounded anew, from the whole domain down to the leaves.

What a search did between two splits (bounds of its own, boxes shrunk) is not followed: over every part the checker
bounds and shrinks by itself. Leaves that stay open by a little it splits on, in all no more often than the log does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.proof.clip import Cuts, clip
from netopt.proof.enclosure import Enclosure
from netopt.proof.evaluate import Evaluator, Rowwise
from netopt.proof.forest import Forest
from netopt.proof.judge import Hints
from netopt.proof.leaf_hints import LeafHints
from netopt.proof.work import Work

#: Parts bounded at a time, and numbers in an array of them.
_BATCH, _ENTRIES = 512, 2**22
#: With more inputs than this, boxes are neither split by the checker itself nor followed from split to split of ReLUs.
MOST_INPUTS = 20
#: A leaf that stays open is bounded anew, not split, if its box has shrunk to at most this share along an input.
_SHRUNK = 0.8


@dataclass(slots=True, eq=False)
class Effort:
    """What checking takes.

    Attributes
    ----------
    allowed : splits of the checker's own that are left.
    parts : bounded.
    own_splits, fixed, exact : how often a leaf was split further, closed by intervals with its phases fixed, or closed
        by exact arithmetic.
    """

    allowed: int
    parts: int = 0
    own_splits: int = 0
    fixed: int = 0
    exact: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What bounding some work has given; `weighted` and `weights` are the combinations that the log names."""

    enclosure: Enclosure
    owner: IntArray | None
    hints: Hints
    weighted: IntArray
    weights: FloatArray
    each: Rowwise
    combined: Rowwise | None

    def closed(self, count: int) -> BoolArray:
        """Return which of so many entries are closed."""
        closed = self.each.closed(count)
        if self.combined is not None:
            closed |= self.combined.closed(count)
        closed |= self.enclosure.empty if self.owner is None else self.enclosure.empty[self.owner]
        return closed


@dataclass(frozen=True, slots=True, eq=False)
class Follower:
    """Shows that what a log says of some cases is right."""

    evaluator: Evaluator
    forest: Forest
    leaves: LeafHints
    effort: Effort

    def follow(self, work: Work) -> Work:
        """Show goals closed; return some that could not be, or none."""
        network = self.evaluator.network
        most = max(1, min(_BATCH, _ENTRIES // max(1, network.relu_count + network.input_size)))
        waiting = [work]
        while waiting:
            batch = waiting.pop()
            if batch.count > most:
                waiting.append(batch.take(slice(most, None)))
            batch = batch.take(slice(0, most))
            if network.input_size > MOST_INPUTS:
                batch = self._down(batch)
            for first in range(0, batch.count, most):
                left, failed = self._step(batch.take(slice(first, first + most)))
                if failed.count:
                    return failed
                if left.count:
                    waiting.append(left)
        return work.take(slice(0, 0))

    def _down(self, work: Work) -> Work:
        """Go down through splits of ReLUs to leaves or splits of an axis."""
        done = [work.take(slice(0, 0))]
        while work.count:
            split = self._split(work)
            relu = np.zeros(work.count, dtype=bool)
            relu[split >= 0] = self.forest.variable[split[split >= 0]] < 0
            done.append(work.take(~relu))
            work = work.take(relu)
            child = self.forest.case.size + 2 * split[relu]
            work = work.at(child).then(work.at(child + 1))
        return done[0].then(*done[1:])

    def _split(self, work: Work) -> IntArray:
        """Return the splits of the nodes of work, -1 at leaves and below."""
        split = np.full(work.count, -1)
        inside = (work.node >= 0) & (work.added == 0)
        split[inside] = self.forest.split[work.node[inside]]
        return split

    def _step(self, work: Work) -> tuple[Work, Work]:
        """Bound parts; return what is to be done next, and what failed."""
        self.effort.parts += work.count
        split = self._split(work)
        found = self._bound(work, split)
        closed, cuts = found.closed(work.count), found.each.cuts(work.count)
        self._with_phases(work, found, closed, cuts)
        leaf = split < 0
        closed[leaf & ~closed] = self._exactly(work, found, np.flatnonzero(leaf & ~closed))
        if closed.all():
            return work.take(slice(0, 0)), work.take(slice(0, 0))
        entry = np.flatnonzero(~closed)
        open_work, split = work.take(entry), split[entry]
        lower, upper, left = clip(open_work.lower, open_work.upper, cuts.take(entry))
        shrunk: BoolArray = ((upper - lower) <= _SHRUNK * (open_work.upper - open_work.lower)) & (lower < upper)
        inner = left & (split >= 0)
        outer = left & (split < 0)
        clipped = self.evaluator.learnt(work, found.enclosure, found.owner).take(entry).within(lower, upper)
        halves, failed = self._halved(clipped.take(outer), np.asarray(shrunk[outer].any(axis=1)))
        return self._children(clipped.take(inner), split[inner]).then(halves), failed

    def _children(self, work: Work, split: IntArray) -> Work:
        child = self.forest.case.size + 2 * split
        variable = self.forest.variable[split].astype(np.int64)
        relu = variable < 0
        below = work.take(relu)
        phases = below.at(child[relu]).then(below.at(child[relu] + 1))
        child, variable, value = child[~relu], variable[~relu], self.forest.value[split[~relu]]
        return work.take(~relu).cut(variable, value, child, child + 1).then(phases)

    def _halved(self, work: Work, shrunk: BoolArray) -> tuple[Work, Work]:
        """Split leaves that stay open, if that is still allowed; return what is to be bounded, and what failed."""
        width = work.upper - work.lower
        self.effort.allowed -= work.count
        self.effort.own_splits += work.count
        many = (width > 0.0).sum(axis=1) > MOST_INPUTS
        shrunk = shrunk | (many & (work.added == 0))
        hopeless: BoolArray = (many & ~shrunk) | (width == 0.0).all(axis=1)
        hopeless |= self.effort.allowed < 0
        axis, row = width.argmax(axis=1), np.arange(work.count)
        middle = 0.5 * work.lower[row, axis] + 0.5 * work.upper[row, axis]
        split = work.take(~shrunk)
        halves = split.below().cut(axis[~shrunk], middle[~shrunk], split.node, split.node)
        return halves.then(work.take(shrunk).below()), work.take(hopeless)

    def _bound(self, work: Work, split: IntArray) -> _Found:
        leaf = np.where(split < 0, self.leaves.find(work.node, work.goal), -1)
        hints = self.leaves.of(work.node, leaf)
        weighted, weights = self.leaves.weights(leaf)
        enclosure, owner = self.evaluator.enclosure(work, hints.phase)
        each = self.evaluator.each(enclosure, owner, work, hints)
        combined = None
        if weighted.size:
            combined = self.evaluator.combined(enclosure, owner, work, hints, weighted, weights)
        return _Found(enclosure, owner, hints, weighted, weights, each, combined)

    def _with_phases(self, work: Work, found: _Found, closed: BoolArray, cuts: Cuts) -> None:
        """Bound open entries by intervals in which their parts' phases are fixed: note closed ones, lower the cuts."""
        if found.hints.phase is None or work.keeps:  # then they are fixed already
            return
        entries = np.flatnonzero(~closed & found.hints.phase.any(axis=1))
        if not entries.size:
            return
        weights = np.zeros((work.count, found.weights.shape[1]))
        weights[found.weighted] = found.weights
        named = np.zeros(work.count, dtype=bool)
        named[found.weighted] = True
        chosen, hints = work.take(entries), found.hints.take(entries)
        regions = None if found.owner is None else found.owner[entries]
        for block, enclosure in self.evaluator.fixed(found.enclosure, regions, chosen, hints):
            part, clues, owner = chosen.take(block), hints.take(block), np.arange(block.size)
            each = self.evaluator.each(enclosure, owner, part, clues)
            which = np.flatnonzero(named[entries[block]])
            combined = None
            if which.size:
                rows = weights[entries[block[which]]]
                combined = self.evaluator.combined(enclosure, owner, part, clues, which, rows)
            answer = _Found(enclosure, owner, clues, which, weights, each, combined)
            closed[entries[block]] = answer.closed(block.size)
            cuts.replace(entries[block], each.cuts(block.size))
        self.effort.fixed += int(closed[entries].sum())

    def _exactly(self, work: Work, found: _Found, entries: IntArray) -> BoolArray:
        """Return which of some entries are closed by a row that only rounding outward left open."""
        closed = np.zeros(work.count, dtype=bool)
        questions = self.evaluator.questions
        every = (
            [(found.each, None)] if found.combined is None else [(found.each, None), (found.combined, found.weights)]
        )
        for answer, weights in every:
            lost = answer.rows.error
            near = np.flatnonzero((answer.upper >= 0.0) & (answer.upper < 8.0 * lost) & np.isin(answer.entry, entries))
            for k in near.tolist():
                entry = int(answer.entry[k])
                if closed[entry]:
                    continue
                if weights is None:
                    shares = [(int(questions.each(work.goal)[1][k]), 1.0)]
                else:
                    shares = questions.shares(int(work.goal[entry]), weights[k])
                region = 0 if found.owner is None else int(found.owner[entry])
                hints = found.hints.take(np.array([entry]))
                bound = self.evaluator.exactly(found.enclosure, region, hints, shares)
                closed[entry] = bound is not None and bound < 0
        self.effort.exact += int(closed.sum())
        return closed[entries]
