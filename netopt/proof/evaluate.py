"""Bounds of goals over parts, by rows of the goals or the combinations that a log names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.network.network import INPUT, Network
from netopt.proof.carry import Rows
from netopt.proof.clip import Cuts
from netopt.proof.enclosure import Enclosure, Pairs
from netopt.proof.exact import Dyadic, add, exact_upper
from netopt.proof.judge import Hints, LinesOfRows, carried, multiplied
from netopt.proof.questions import Questions
from netopt.proof.regions import Regions
from netopt.proof.work import Work
from netopt.specification.domain import Domain

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

    def cuts(self, count: int) -> Cuts:
        """Return the functions above the rows of so many entries."""
        order = np.argsort(self.entry, kind="stable")
        counts = np.bincount(self.entry, minlength=count)
        rank = np.arange(order.size) - np.repeat(np.cumsum(counts) - counts, counts)
        coefficients, entry = self.rows.coefficients[INPUT], self.entry[order]
        width = int(counts.max(initial=0))
        slope, level = np.zeros((count, width, coefficients.shape[1])), np.full((count, width), np.inf)
        slope[entry, rank] = coefficients[order]
        constant, error = self.rows.constant[order], self.rows.error[order]
        level[entry, rank] = constant + error + 4.0 * np.spacing(np.abs(constant) + error)
        return Cuts(slope, level)


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

    def enclosure(self, work: Work, phase: NDArray[np.int8] | None) -> tuple[Enclosure, IntArray | None]:
        """Return the intervals of the nodes, and the region of each entry; a single box is remembered.

        Parameters
        ----------
        phase : (k, neurons) fixed in the parts; used where the work keeps bounds of neurons, for these depend on it.
        """
        first, owner = work.regions(phase)
        regions = Regions(work.lower[first], work.upper[first], self.domain)
        if work.keeps:
            return self._kept(work.take(first), regions, None if phase is None else phase[first]), owner
        if owner is not None:
            return Enclosure(self.network, regions, given=self.given), owner
        key = regions.lower.tobytes() + regions.upper.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = key, Enclosure(self.network, regions, given=self.given)
        return self._last[1], None

    def _kept(self, work: Work, regions: Regions, phase: NDArray[np.int8] | None) -> Enclosure:
        """Return the intervals over parts each of which has bounds that hold in it."""
        columns, given, phases = self.network.relu_columns, dict(self.given), {}
        for name, at in columns.items():
            lower, upper = work.known_lower[:, at].astype(np.float64), work.known_upper[:, at].astype(np.float64)
            if name in given:
                lower, upper = np.maximum(lower, given[name][0]), np.minimum(upper, given[name][1])
            given[name] = lower, upper
            if phase is not None:
                phases[name] = phase[:, at]
        return Enclosure(self.network, regions, given=given, phase=phases)

    def learnt(self, work: Work, enclosure: Enclosure, owner: IntArray | None) -> Work:
        """Return work that keeps the bounds of neurons, if it keeps any."""
        if not work.keeps:
            return work
        which = np.zeros(work.count, dtype=np.int64) if owner is None else owner
        lower, upper = (
            np.concatenate([side[relu.input].take(which, axis=0) for relu in self.network.relus], axis=1)
            for side in (enclosure.lower, enclosure.upper)
        )
        return work.knowing(lower, upper)

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
        columns = self.network.relu_columns
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
        lines = LinesOfRows(enclosure, np.array([region]), hints, self.network.relu_columns)
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
            added = multiplied(hints, self.network.relu_columns[relu.name])
            if added is not None:
                add(start, relu.input, Dyadic.of(added[0]))
        regions = enclosure.regions
        return exact_upper(self.network, start, constant, lines, regions.lower[region], regions.upper[region])
