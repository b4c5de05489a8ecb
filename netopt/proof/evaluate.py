"""Bounds of goals over parts, by rows of the goals or the combinations that a log names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.network.network import INPUT, Network
from netopt.proof.carry import Rows
from netopt.proof.clip import clip
from netopt.proof.enclosure import Enclosure, Pairs
from netopt.proof.exact import Dyadic, add, exact_upper
from netopt.proof.judge import Hints, LinesOfRows, carried, multiplied, relu_columns
from netopt.proof.questions import Questions
from netopt.proof.regions import Regions
from netopt.proof.work import Work
from netopt.specification.domain import Domain

#: Times that linear functions shrink a box.
_SWEEPS = 2
#: Parts whose intervals are computed at a time, with their phases fixed.
_FIXED = 64


@dataclass(frozen=True, slots=True, eq=False)
class Rowwise:
    """Rows carried to the inputs.

    Attributes
    ----------
    entry : (p,) the entry of the work each is about.
    rows : over the inputs.
    upper : (p,) their largest values over the entries' boxes.
    """

    entry: IntArray
    rows: Rows
    upper: FloatArray

    def closed(self, count: int) -> BoolArray:
        """Return which of so many entries have a row that is negative, (count,)."""
        closed = np.zeros(count, dtype=bool)
        closed[self.entry[self.upper < 0.0]] = True
        return closed


@dataclass(slots=True, eq=False)
class Evaluator:
    """Bounds goals of one network.

    Attributes
    ----------
    domain : what all boxes are parts of; None for boxes of domains that are boxes.
    given : pre-activation bounds that are trusted.
    """

    network: Network
    questions: Questions
    domain: Domain | None = None
    given: Pairs = field(default_factory=dict)
    _last: tuple[bytes, Enclosure] | None = None

    def enclosure(self, work: Work) -> tuple[Enclosure, IntArray | None]:
        """Return the intervals of the nodes, and the region of each entry; a single box is remembered."""
        lower, upper, owner = work.regions()
        if owner is not None:
            return Enclosure(self.network, Regions(lower, upper, self.domain), given=self.given), owner
        key = lower.tobytes() + upper.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = key, Enclosure(self.network, Regions(lower, upper, self.domain), given=self.given)
        return self._last[1], None

    def each(self, enclosure: Enclosure, owner: IntArray | None, work: Work, hints: Hints) -> Rowwise:
        """Bound every row of the goals."""
        entry, row = self.questions.each(work.goal)
        return self._rowwise(enclosure, owner, entry, self.questions.single(self.network, row), hints)

    def combined(
        self,
        enclosure: Enclosure,
        owner: IntArray | None,
        work: Work,
        hints: Hints,
        entry: IntArray,
        weights: FloatArray,
    ) -> Rowwise:
        """Bound one combination of the rows of some entries, with weights (entries, rows)."""
        sizes = enclosure.sizes(None if owner is None else owner[entry])
        rows = self.questions.combined(self.network, work.goal[entry], weights, sizes)
        return self._rowwise(enclosure, owner, entry, rows, hints)

    def _rowwise(
        self, enclosure: Enclosure, owner: IntArray | None, entry: IntArray, rows: Rows, hints: Hints
    ) -> Rowwise:
        who = None if owner is None else owner[entry]
        rows = carried(enclosure, rows, who, hints.take(entry))
        return Rowwise(entry, rows, enclosure.upper_bounds(rows, who))

    def fixed(
        self, enclosure: Enclosure, owner: IntArray | None, work: Work, hints: Hints
    ) -> Iterator[tuple[IntArray, Enclosure]]:
        """Yield intervals that use the phases fixed in every part too: entries, and a region for each of them.

        Parameters
        ----------
        enclosure, owner : intervals over the boxes, and the region of each entry.
        """
        columns = relu_columns(self.network)
        for first in range(0, work.count, _FIXED):
            entries = np.arange(work.count)[first : first + _FIXED]
            region = np.zeros(entries.size, dtype=np.int64) if owner is None else owner[entries]
            known = {
                relu.name: (enclosure.lower[relu.input][region], enclosure.upper[relu.input][region])
                for relu in self.network.relus
            }
            phase = {} if hints.phase is None else {name: hints.phase[entries, at] for name, at in columns.items()}
            regions = Regions(work.lower[entries], work.upper[entries], self.domain)
            yield entries, Enclosure(self.network, regions, given=known, phase=phase)

    def exactly(
        self,
        enclosure: Enclosure,
        region: int,
        hints: Hints,
        shares: list[tuple[int, float]],
    ) -> Fraction | None:
        """Return an exact bound of ``sum share * row`` over one region, with the hints of one entry.

        None where there is no such bound: the domain is no box, or a neuron is unbounded.
        """
        lines = LinesOfRows(enclosure, np.array([region]), hints, relu_columns(self.network))
        finite = all(np.isfinite(side[region]).all() for side in (*enclosure.lower.values(), *enclosure.upper.values()))
        if self.domain is not None or not finite:
            return None
        start: dict[str, Dyadic] = {}
        constant = Fraction(0)
        for row, share in shares:
            factor = Dyadic.of(np.array([-share]))
            add(start, self.network.output, Dyadic.of(self.questions.outputs[row]).times(factor))
            if self.questions.inputs is not None:
                add(start, INPUT, Dyadic.of(self.questions.inputs[[row]].toarray()[0]).times(factor))
            constant += Fraction(share) * Fraction(float(self.questions.bound[row]))
        for relu in self.network.relus:
            added = multiplied(hints, relu_columns(self.network)[relu.name])
            if added is not None:
                add(start, relu.input, Dyadic.of(added[0]))
        regions = enclosure.regions
        return exact_upper(self.network, start, constant, lines, regions.lower[region], regions.upper[region])

    def clipped(self, work: Work, answer: Rowwise) -> Work:
        """Return the work with its boxes shrunk to where the goals can hold; boxes without such points are left out."""
        low, high = work.lower, work.upper
        alive = np.ones(work.count, dtype=bool)
        order = np.argsort(answer.entry, kind="stable")
        counts = np.bincount(answer.entry, minlength=work.count)
        begins = np.cumsum(counts) - counts
        rank = np.arange(order.size) - np.repeat(begins, counts)
        for k in list(range(int(counts.max(initial=0)))) * _SWEEPS:
            chosen = order[rank == k]
            entry, slope = answer.entry[chosen], answer.rows.coefficients[INPUT][chosen]
            level = answer.rows.constant[chosen] + answer.rows.error[chosen]
            linear = Regions(low[entry], high[entry]).maximize(slope, np.arange(entry.size))
            largest = linear + level
            largest = largest + 4.0 * np.spacing(np.abs(linear) + np.abs(level))
            alive[entry] &= ~(largest < 0.0)
            new_low, new_high = clip(low[entry], high[entry], slope, np.where(largest >= 0.0, largest, np.inf))
            low, high = low.copy(), high.copy()
            low[entry], high[entry] = new_low, new_high
            alive &= (low <= high).all(axis=1)
            low, high = np.where(alive[:, None], low, work.lower), np.where(alive[:, None], high, work.upper)
        return Work(work.node, work.goal, low, high, work.added).take(alive)
