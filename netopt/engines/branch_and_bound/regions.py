r"""Exact proofs for few inputs: split boxes until few ReLUs are unstable in one, then split those in input space.

A part is a box and phases of some ReLUs: with all ReLUs before them stable, a fixed phase is a half-space of the
inputs. Boxes are bounded by CROWN backward from every layer; where few neurons are unstable, the triangle relaxation
of the part, fixed phases and rows of the domain included, is solved as a linear program whose multipliers are turned
into a rigorous bound (`netopt.bounds.triangle`). A part without unstable neurons has an exact program, so that the
search ends, also with a maximum; the programs' optimal points are what is seen.

After Bak, *nnenum: Verification of ReLU neural networks with optimized abstraction refinement* (NFM 2021), with boxes
first: a ReLU that crosses a small box near the property's boundary is worth a split, one of a large box is not.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.boxes import BoundedBoxes, BoxBounds
from netopt.bounds.dual_simplex import Programs, solve
from netopt.bounds.objectives import Objectives
from netopt.bounds.part_state import ObjectivesOfParts, PartState
from netopt.bounds.precision import DOUBLE, SINGLE
from netopt.bounds.rounding import UNIT_ROUNDOFF
from netopt.bounds.triangle import TriangleBounds, triangle_bounds
from netopt.engines.branch_and_bound.box_evaluation import over_norm
from netopt.engines.branch_and_bound.box_parts import outward
from netopt.engines.branch_and_bound.domain_rows import rows_of_domain
from netopt.engines.branch_and_bound.region_parts import RegionParts
from netopt.engines.branch_and_bound.search import Problem, Search, Watch
from netopt.engines.objective import rows_of
from netopt.network.network import INPUT
from netopt.network.single import single_precision

#: Most unstable neurons of a part whose program is solved and whose ReLUs are split; boxes too narrow to be halved may
#: have more.
MOST_UNSTABLE, _MOST_NARROW = 50, 400
#: A box this narrow, relative to the whole, in every input is not halved any more.
_NARROWEST = 1e-7
#: Bytes of one array (parts, neurons of the widest layer), and most parts bounded at once.
_ARRAY_BYTES, _MOST_PARTS = 2**20, 128
#: Bytes of open parts from which on the last ones go first, so that they do not become many more.
_OPEN_BYTES = 2**28
#: Inputs beyond this are bounded in float64.
_LARGEST = 1e30
#: Weight of an input's relative width in the choice of the input to halve.
_WIDTH_WEIGHT = 1e-3


class Regions(Search[RegionParts]):
    """Search over parts of a domain with exact rows; see `netopt.engines.branch_and_bound.domain_rows`."""

    def __init__(self, problem: Problem, watch: Watch, whole: RegionParts | None = None) -> None:
        domain, network = problem.domain, problem.network
        self._columns = network.relu_columns
        if whole is None:
            known = (_side_by_side(problem.bounds.lower), _side_by_side(problem.bounds.upper))
            number = problem.trail.whole(len(problem.objectives))
            whole = RegionParts.whole(domain.lower, domain.upper, known, number)
        super().__init__(problem, watch, whole)
        self._objectives = rows_of(problem.objectives)
        self._domain_rows = rows_of_domain(domain)
        self._width = domain.upper - domain.lower
        widest = max(network.input_size, *(node.size for node in network.nodes))
        fits = single_precision(network) is not None and np.abs([domain.lower, domain.upper]).max() < _LARGEST
        self._precision = SINGLE if fits else DOUBLE
        self._batch = int(np.clip(_ARRAY_BYTES // (8 * widest), 1, _MOST_PARTS))

    @cached_property
    def bounds(self) -> BoxBounds:
        """What bounds boxes; made when it is first needed, which takes long for large networks."""
        return BoxBounds(self.problem.network, self._precision)

    def advance(self, deadline: float | None, most: int | None = None) -> None:
        last = np.inf if most is None else self.bounded + most
        while not (self.finished or self.watch.stopped() or self.bounded >= last):
            if deadline is not None and time.monotonic() >= deadline:
                return
            self._round()

    def _round(self) -> None:
        """Bound a batch of open parts, drop what is closed, split the rest."""
        batch, rest = self._next()
        enough = self.watch.enough()[batch.objective]
        bounded = _Bounded(self, batch, enough)
        self.bounded += batch.count
        batch, upper = bounded.parts, bounded.upper
        closed = upper <= enough
        np.maximum.at(self.closed_upper, batch.objective[closed], upper[closed])
        self._log(batch, bounded, closed)
        left = np.flatnonzero(~closed)
        for objective in np.flatnonzero(np.bincount(batch.objective[left])):
            self.watch.seen(int(objective), bounded.points[left[batch.objective[left] == objective]])
        batch.upper[np.arange(batch.count), batch.objective] = upper
        self.open = rest.then(self._split(batch.take(left), bounded, left))

    def _log(self, parts: RegionParts, bounded: _Bounded, closed: BoolArray) -> None:
        """Write down what closes parts: a program's multipliers, or the lines of CROWN alone."""
        found = bounded.found
        simple = closed if found is None else closed & ~bounded.solved
        self.trail.close(parts.number[simple], parts.objective[simple])
        if found is not None and not self.trail.silent:
            which, of = np.flatnonzero(closed & bounded.solved), closed[bounded.solved]
            weights = self._objectives.without_padding(parts.objective[which], found.weights[of])
            self.trail.close(
                parts.number[which],
                parts.objective[which],
                weights=weights,
                slope=found.slope[of],
                multiplier=found.multiplier[of],
                neurons=np.arange(parts.phase.shape[1]),
            )

    def _next(self) -> tuple[RegionParts, RegionParts]:
        """Return the parts with the largest bounds, or the last ones where there are many, and the others."""
        count, neurons = self.open.phase.shape
        take = min(self._batch, count)
        order = np.arange(count)
        if count * (9 * neurons + 16 * self.open.low.shape[1]) < _OPEN_BYTES and take < count:
            order = np.argpartition(self.open.bound, count - take)
        return self.open.take(order[count - take :]), self.open.take(np.sort(order[: count - take]))

    def _split(self, parts: RegionParts, bounded: _Bounded, left: IntArray) -> RegionParts:
        """Fix a ReLU of each part with few unstable ones, halve the boxes of the others."""
        looseness = bounded.looseness[left]
        unstable = bounded.unstable[left]
        parts = self._clipped(parts, bounded, left)
        narrow = (parts.high - parts.low <= _NARROWEST * self._width).all(axis=1)
        few = (unstable <= np.where(narrow, _MOST_NARROW, MOST_UNSTABLE)) & (unstable > 0)
        # What neither way makes smaller is given up with the bound it has.
        lost = ~few & (narrow | (unstable == 0))
        np.maximum.at(self.closed_upper, parts.objective[lost], parts.bound[lost])
        halve = ~few & ~lost
        if not few.any():
            return parts.take(halve).halved(bounded.axis(parts.take(halve), left[halve]), self.trail)
        fixed = parts.take(few).with_phases(looseness[few].argmax(axis=1), self.trail)
        return parts.take(halve).halved(bounded.axis(parts.take(halve), left[halve]), self.trail).then(fixed)

    def _clipped(self, parts: RegionParts, bounded: _Bounded, left: IntArray) -> RegionParts:
        """Return what clipping leaves of parts; the objective is at most enough in what is cut off."""
        cut = bounded.clipped(parts, left)
        shrunk = ((cut.low > parts.low) | (cut.high < parts.high)).any(axis=1)
        np.maximum.at(self.closed_upper, parts.objective[shrunk], bounded.enough[left[shrunk]])
        return cut


class _Bounded:
    """Parts and what is known of them after one round.

    Attributes
    ----------
    enough : (k,) what closes them.
    upper : (k,) of each part's objective.
    points : (k, n) members of the domain where it may be largest.
    unstable : (k,) number of unstable neurons.
    looseness : (k, neurons), zeros where no program was solved.
    solved : (k,) where one was.
    found : what the programs say, of the solved parts; None where there are none.
    """

    def __init__(self, search: Regions, parts: RegionParts, enough: FloatArray) -> None:
        self._search, self.enough = search, enough
        problem, k = search.problem, np.arange(parts.count)
        known = {
            name: (parts.known_lower[:, c].astype(np.float64), parts.known_upper[:, c].astype(np.float64))
            for name, c in search._columns.items()
        }
        boxes = search.bounds.over(parts.low, parts.high, known)
        state = boxes.state
        lower = np.concatenate([np.empty((k.size, 0)), *(state.lower[r.input] for r in problem.network.relus)], axis=1)
        upper = np.concatenate([np.empty((k.size, 0)), *(state.upper[r.input] for r in problem.network.relus)], axis=1)
        empty = (lower > upper).any(axis=1)
        self.unstable: IntArray = ((lower < 0.0) & (upper > 0.0)).sum(axis=1)
        low, high = outward(lower, upper)
        self.parts = replace(parts, known_lower=low, known_upper=high)
        objectives = _of_parts(search._objectives, parts.objective, problem.network.input_size)
        self._slope, self._level, bound = _functions(boxes, objectives)
        self.upper = np.where(empty, -np.inf, np.minimum(parts.bound, bound.min(axis=1)))
        self.points = np.where(self._best(bound) >= 0.0, parts.high, parts.low)
        self.looseness = np.zeros(lower.shape)
        narrow = (parts.high - parts.low <= _NARROWEST * search._width).all(axis=1)
        which = np.flatnonzero((self.upper > enough) & (self.unstable <= np.where(narrow, _MOST_NARROW, MOST_UNSTABLE)))
        self.solved = np.zeros(k.size, dtype=bool)
        self.solved[which] = True
        self.found: TriangleBounds | None = None
        if which.size:
            all_parts = PartState(state, lower, upper, parts.phase.astype(np.float64))
            found = triangle_bounds(all_parts.take(which), objectives.take(which), search._domain_rows, enough[which])
            self.found = found
            self.upper[which] = np.minimum(self.upper[which], found.upper)
            self.points[which], self.looseness[which] = found.points, found.looseness
        self.points = problem.domain.project(self.points)

    def _best(self, bound: FloatArray) -> FloatArray:
        """Return the slope of the function that is lowest for each part, (k, n)."""
        slope: FloatArray = self._slope[np.arange(len(bound)), bound.argmin(axis=1)]
        return slope

    def axis(self, parts: RegionParts, which: IntArray) -> IntArray:
        """Return the input along which the linear functions of the parts change most."""
        width = parts.high - parts.low
        change = np.abs(self._slope[which]).sum(axis=1) * width
        largest = change.max(axis=1, keepdims=True)
        relative = np.divide(width, self._search._width, out=np.zeros(width.shape), where=self._search._width > 0.0)
        narrow = relative <= _NARROWEST
        promise = change + _WIDTH_WEIGHT * np.where(largest > 0.0, largest, 1.0) * relative
        return np.asarray(np.where(narrow, -1.0, promise).argmax(axis=1))

    def clipped(self, parts: RegionParts, which: IntArray) -> RegionParts:
        """Return parts with their boxes cut to where every slack can still be more than enough."""
        matrix, side = self._search._domain_rows
        count, n = parts.low.shape
        # A slack above norm * enough: - slope x <= level - norm * enough.
        rows = np.concatenate([-self._slope[which], np.broadcast_to(matrix, (count, *matrix.shape))], axis=1)
        level = self._level[which] - self.enough[which][:, None]
        level += 4.0 * UNIT_ROUNDOFF * (np.abs(level) + np.abs(self.enough[which][:, None]))
        sides = np.concatenate([level, np.broadcast_to(side, (count, side.size))], axis=1)
        usable = np.isfinite(rows).all(axis=2) & np.isfinite(sides)
        rows, sides = np.where(usable[:, :, None], rows, 0.0), np.where(usable, sides, 0.0)
        goal = np.tile(np.concatenate([np.eye(n), -np.eye(n)]), (count, 1))
        owner = np.repeat(np.arange(count), 2 * n)
        programs = Programs(goal, rows[owner], sides[owner], parts.low[owner], parts.high[owner])
        reach = programs.proven(goal, solve(programs).multipliers).reshape(count, 2 * n)
        high, low = np.minimum(parts.high, reach[:, :n]), np.maximum(parts.low, -reach[:, n:])
        crossed = (low > high).any(axis=1, keepdims=True)  # nothing is left: the next round will see that
        return replace(parts, low=np.where(crossed, parts.low, low), high=np.where(crossed, parts.high, high))


def _functions(boxes: BoundedBoxes, objectives: ObjectivesOfParts) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return slopes (k, r, n), levels (k, r) and bounds (k, r) of linear functions above the normalised slacks."""
    count, rows, n = objectives.input.shape
    owner = np.repeat(np.arange(count), rows)
    found = boxes.functions(objectives.output.reshape(owner.size, -1), objectives.input.reshape(owner.size, n), owner)
    norm, offset = objectives.norm.ravel(), objectives.offset.ravel()
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        slope = found.slope / norm[:, None]
        size = np.einsum("pn,pn->p", np.abs(found.slope), boxes.state.reach(INPUT)[owner])
    level = over_norm(found.constant, offset, norm, size)
    bound = over_norm(found.bound, offset, norm)
    return slope.reshape(count, rows, n), level.reshape(count, rows), bound.reshape(count, rows)


def _of_parts(objectives: Objectives, objective: IntArray, inputs: int) -> ObjectivesOfParts:
    """Return the rows of an objective a part; those with fewer rows have their first one several times."""
    table = objectives.table[objective]
    rows = np.where(table < 0, table[:, :1], table)
    matrix = objectives.inputs_of(objective)
    if matrix is None:
        matrix = np.zeros((*rows.shape, inputs))
    matrix = np.where((table < 0)[:, :, None], matrix[:, :1], matrix)
    return ObjectivesOfParts(objectives.output_matrix[rows], matrix, objectives.offset[rows], objectives.norm[rows])


def _side_by_side(values: Mapping[str, FloatArray]) -> FloatArray:
    return np.concatenate([np.empty(0), *values.values()])
