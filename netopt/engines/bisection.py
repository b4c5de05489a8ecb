"""A cheap prover for low-dimensional boxes: split the box until CROWN closes every part.

Each round bounds a batch of boxes at once; a box whose disjuncts are all closed is a leaf of the proof, the others are
halved. The search goes depth first, so that few boxes are alive at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.batch import bound_rows_over_boxes
from netopt.engines.objective import SlackObjective
from netopt.network.gradient import value_and_gradient
from netopt.network.network import Network
from netopt.proof.trail import SILENT, Trail
from netopt.specification.box import Box

#: Boxes bounded in one round.
BATCH = 256
#: A box this narrow, relative to the whole, in every input is not split any more: its disjuncts are given up.
NARROWEST = 1e-7
#: Weight of a box's relative width in the choice of the input to split, beside the change the gradient foresees.
_WIDTH_WEIGHT = 0.05

#: Called with the position of a disjunct and the centres (k, n) of boxes in which it is open.
ProbeCallback = Callable[[int, FloatArray], None]


@dataclass(slots=True, eq=False)
class _Boxes:
    """Boxes still to prove: corners (k, n), which disjuncts are open in each and the bounds on their t, (k, d).

    `number` is what a proof log calls them, (k,).
    """

    lower: FloatArray
    upper: FloatArray
    open: BoolArray
    bound: FloatArray
    number: IntArray

    @property
    def count(self) -> int:
        return len(self.lower)

    def take(self, which: slice | BoolArray) -> _Boxes:
        return _Boxes(self.lower[which], self.upper[which], self.open[which], self.bound[which], self.number[which])

    def then(self, other: _Boxes) -> _Boxes:
        return _Boxes(
            np.concatenate([self.lower, other.lower]),
            np.concatenate([self.upper, other.upper]),
            np.concatenate([self.open, other.open]),
            np.concatenate([self.bound, other.bound]),
            np.concatenate([self.number, other.number]),
        )


class Bisection:
    """The state of one proof; `advance` may be called again and again.

    Parameters
    ----------
    network, box : where.
    objectives : the disjuncts; each is to be proven negative on all of the box.
    probe : told where disjuncts are open, to look for points there.
    trail : of a proof log.
    """

    def __init__(
        self,
        network: Network,
        box: Box,
        objectives: Sequence[SlackObjective],
        probe: ProbeCallback | None = None,
        trail: Trail = SILENT,
    ) -> None:
        self._network, self._trail = network, trail
        self._probe = probe
        self._width = box.upper - box.lower
        rows = [objective.conjunction for objective in objectives]
        self._output_rows = -np.concatenate([row.output_matrix for row in rows])
        self._input_rows = None
        if any(row.input_matrix is not None for row in rows):
            n = network.input_size
            self._input_rows = -np.concatenate(
                [
                    np.zeros((row.bound.size, n)) if row.input_matrix is None else row.input_matrix.toarray()
                    for row in rows
                ]
            )
        self._offset = np.concatenate([row.bound for row in rows])
        self._norm = np.concatenate([objective.norm for objective in objectives])
        sizes = np.array([objective.rows for objective in objectives])
        self._first = np.cumsum(sizes) - sizes
        self._owner = np.repeat(np.arange(sizes.size), sizes)
        self._generator = np.random.default_rng(0)
        count = len(objectives)
        opened, bound = np.ones((1, count), bool), np.full((1, count), np.inf)
        self._boxes = _Boxes(box.lower[None], box.upper[None], opened, bound, trail.whole())
        self._leaf_bound = np.full(count, -np.inf)
        self.given_up = np.zeros(count, dtype=bool)
        self.boxes_bounded = 0

    @property
    def finished(self) -> bool:
        """Whether nothing is left to split."""
        return self._boxes.count == 0

    @property
    def closed(self) -> BoolArray:
        """Which disjuncts are proven negative on all of the box, (d,)."""
        return ~(self.given_up | self._boxes.open.any(axis=0))

    @property
    def upper(self) -> FloatArray:
        """Proven upper bounds of each disjunct's t, (d,)."""
        open_bound = np.where(self._boxes.open, self._boxes.bound, -np.inf).max(axis=0, initial=-np.inf)
        return np.asarray(np.maximum(self._leaf_bound, open_bound))

    def advance(self, deadline: float | None, stopped: Callable[[], bool], most_boxes: int) -> None:
        """Go on until all is closed or given up, the deadline, `stopped`, or a number of boxes bounded in all."""
        while not (self.finished or stopped() or self.boxes_bounded >= most_boxes):
            if deadline is not None and time.monotonic() >= deadline:
                return
            self._round(deadline)

    def _round(self, deadline: float | None) -> None:
        first = max(0, self._boxes.count - BATCH)
        batch, rest = self._boxes.take(slice(first, None)), self._boxes.take(slice(0, first))
        slack = bound_rows_over_boxes(
            self._network,
            batch.lower,
            batch.upper,
            self._output_rows,
            self._input_rows,
            self._offset,
            deadline=deadline,
        )
        self.boxes_bounded += batch.count
        batch.bound = np.minimum(batch.bound, np.minimum.reduceat(slack / self._norm, self._first, axis=1))
        negative = np.minimum.reduceat(slack, self._first, axis=1) < 0.0
        closed, disjunct = np.nonzero(batch.open & negative)
        self._trail.close(batch.number[closed], disjunct)
        done = np.where(batch.open & negative, batch.bound, -np.inf).max(axis=0)
        self._leaf_bound = np.maximum(self._leaf_bound, done)
        batch.open = batch.open & ~negative & ~self.given_up
        keep = np.asarray(batch.open.any(axis=1))
        batch, slack = batch.take(keep), slack[keep]
        if batch.count:
            self._tell(batch)
            batch = self._split(batch, slack)
        self._boxes = rest.then(batch)

    def _tell(self, batch: _Boxes) -> None:
        """Report the centres of the boxes with an open disjunct."""
        if self._probe is None:
            return
        center = (batch.lower + batch.upper) / 2.0
        for disjunct in np.flatnonzero(batch.open.any(axis=0)):
            self._probe(int(disjunct), center[batch.open[:, disjunct]])

    def _split(self, batch: _Boxes, slack: FloatArray) -> _Boxes:
        """Halve every box along the input that promises most; give up the disjuncts of boxes too narrow to split."""
        width = batch.upper - batch.lower
        narrow = (width <= NARROWEST * self._width).all(axis=1)
        if narrow.any():
            lost = batch.open[narrow].any(axis=0)
            self._leaf_bound[lost] = np.inf
            self.given_up |= lost
            batch.open = batch.open & ~self.given_up
            keep = np.asarray(batch.open.any(axis=1))
            batch, slack, width = batch.take(keep), slack[keep], width[keep]
            if not batch.count:
                return batch
        axis = self._promise(batch, slack, width).argmax(axis=1)
        row = np.arange(batch.count)
        middle = (batch.lower[row, axis] + batch.upper[row, axis]) / 2.0
        low, high = batch.upper.copy(), batch.lower.copy()
        low[row, axis], high[row, axis] = middle, middle
        number = self._trail.split_axis(batch.number, axis, middle)
        below = _Boxes(batch.lower, low, batch.open, batch.bound, number[: batch.count])
        return below.then(_Boxes(high, batch.upper, batch.open, batch.bound, number[batch.count :]))

    def _promise(self, batch: _Boxes, slack: FloatArray, width: FloatArray) -> FloatArray:
        """Return, for each box and input, how much the row nearest to closing the hardest disjunct changes along it."""
        hardest = np.where(batch.open, batch.bound, -np.inf).argmax(axis=1)
        row = np.where(self._owner == hardest[:, None], slack, np.inf).argmin(axis=1)
        gradient = np.zeros(width.shape)
        for share in (0.5, self._generator.uniform(size=width.shape)):
            point = batch.lower + share * width
            gradient += np.abs(self._gradient(point, row))
        change = gradient * width
        relative = np.divide(width, self._width, out=np.zeros(width.shape), where=self._width > 0.0)
        scale = change.max(axis=1, keepdims=True)
        return change + _WIDTH_WEIGHT * np.where(scale > 0.0, scale, 1.0) * relative

    def _gradient(self, points: FloatArray, row: IntArray) -> FloatArray:
        _, gradient = value_and_gradient(self._network, points, lambda _y: self._output_rows[row])
        return gradient if self._input_rows is None else gradient + self._input_rows[row]
