"""What CROWN says of a batch of boxes about their objectives: bounds, functions above the rows, where to split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.boxes import BoundedBoxes, BoxBounds
from netopt.bounds.half_spaces import HalfSpaces
from netopt.bounds.objectives import Objectives
from netopt.bounds.precision import DOUBLE, SINGLE, Precision
from netopt.bounds.rounding import UNIT_ROUNDOFF
from netopt.engines.branch_and_bound.box_parts import BoxParts, SideBySide
from netopt.network.network import Network

#: Bounds are computed again in float64 where rounding errors make up this share of what is missing.
_ROUNDING_SHARE = 0.25


@dataclass(slots=True, eq=False)
class Evaluation:
    """Bounds of k parts' objectives.

    Attributes
    ----------
    parts : with the bounds found.
    slope, level : (k, h, n) and (k, h): row i of a part's objective is at most ``slope[:, i] @ x + level[:, i]``; zeros
        and +inf behind the last row.
    hardest : (k,) the row with the lowest bound.
    doubtful : (k,) whether rounding errors may have made the difference.
    """

    parts: BoxParts
    slope: FloatArray
    level: FloatArray
    hardest: IntArray
    doubtful: BoolArray
    _boxes: BoundedBoxes
    _box: IntArray
    _evaluator: Evaluator

    def promise(self, which: IntArray) -> FloatArray:
        """Return how much looseness of the hardest row each free input is to blame for, (len(which), free)."""
        objectives = self._evaluator.objectives
        rows = objectives.table[self.parts.objective[which], self.hardest[which]]
        outputs, inputs = self._evaluator.rows(rows)
        return self._boxes.loosened_by(outputs, inputs, self._box[which])

    def above(self, enough: FloatArray, which: IntArray) -> HalfSpaces:
        """Return half-spaces outside of which the objectives of some parts are below `enough` (len(which),)."""
        return HalfSpaces(self.slope[which], self.level[which] - enough[:, None])


class Evaluator:
    """Bounds parts in one precision.

    Parameters
    ----------
    network, objectives : what is bounded.
    free : inputs that vary.
    """

    def __init__(self, network: Network, objectives: Objectives, free: IntArray, precision: Precision) -> None:
        self.objectives = objectives
        self._network, self._precision = network, precision
        self._layout = SideBySide(network)
        self._free = free
        self._inputs = None if objectives.input_matrix is None else objectives.input_matrix.toarray()

    @cached_property
    def _bounds(self) -> BoxBounds:
        """What bounds boxes; made when it is first needed, which takes long for large networks."""
        return BoxBounds(self._network, self._precision)

    def rows(self, which: IntArray) -> tuple[FloatArray, FloatArray | None]:
        """Return some of the objectives' rows over outputs and inputs."""
        return self.objectives.output_matrix[which], None if self._inputs is None else self._inputs[which]

    def evaluate(self, parts: BoxParts, enough: FloatArray, stopped: Callable[[], bool]) -> Evaluation:
        """Bound parts, whose objectives are closed at `enough` (k,)."""
        first, box = _distinct(parts)
        known = self._layout.known(parts.take(first))
        boxes = self._bounds.over(parts.low[first], parts.high[first], known, self._free, stopped)
        order = np.argsort(box, kind="stable")  # rows travel with their boxes ascending
        parts, box, enough = parts.take(order), box[order], enough[order]
        slope, level, bound, rounding = self._functions(parts, boxes, box)
        hardest = bound.argmin(axis=1)
        row = np.arange(parts.count)
        value = np.minimum(parts.value, bound[row, hardest])
        missing = value - enough
        doubtful = (missing > 0.0) & ~(rounding[row, hardest] < _ROUNDING_SHARE * missing)
        lower, upper = self._layout.of(boxes, box)
        found = BoxParts(parts.low, parts.high, parts.objective, value, lower, upper, parts.number, parts.objectives)
        return Evaluation(found, slope, level, hardest, doubtful, boxes, box, self)

    def _functions(
        self, parts: BoxParts, boxes: BoundedBoxes, box: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return slopes, levels, bounds and rounding errors of each part's rows, over their norms."""
        table = self.objectives.table[parts.objective]
        member, place = np.nonzero(table >= 0)
        rows = table[member, place]
        found = boxes.functions(*self.rows(rows), box[member])
        norm, offset = self.objectives.norm[rows], self.objectives.offset[rows]
        shape = table.shape
        slope = np.zeros((*shape, parts.low.shape[1]))
        level, bound, rounding = np.full(shape, np.inf), np.full(shape, np.inf), np.zeros(shape)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            slope[member, place] = found.slope / norm[:, None]
            reach = np.maximum(np.abs(parts.low), np.abs(parts.high))[member]
            size = np.einsum("pn,pn->p", np.abs(found.slope), reach)
            level[member, place] = over_norm(found.constant, offset, norm, size)
            bound[member, place] = over_norm(found.bound, offset, norm)
            rounding[member, place] = found.rounding / norm
        return slope, level, bound, rounding


def over_norm(value: FloatArray, offset: FloatArray, norm: FloatArray, size: FloatArray | float = 0.0) -> FloatArray:
    """Return ``(value + offset) / norm`` rounded up, with room for slopes of which the products have a size."""
    total = value + offset
    total = total + 4.0 * UNIT_ROUNDOFF * (np.abs(total) + np.abs(offset) + size)
    # A quotient that underflows has lost its sign: up to the next number, but not across zero.
    quotient: FloatArray = np.nextafter(total / norm, np.inf)
    return np.where(np.isnan(quotient), np.inf, quotient)


def _distinct(parts: BoxParts) -> tuple[IntArray, IntArray]:
    """Return the first part with each box that occurs, and the position of every part's box among them."""
    corners = np.concatenate([parts.low, parts.high], axis=1)
    order = np.lexsort(corners.T)
    step = (corners[order[1:]] != corners[order[:-1]]).any(axis=1)
    group = np.concatenate([[0], np.cumsum(step)])
    box = np.empty(parts.count, dtype=np.int64)
    box[order] = group
    first = order[np.concatenate([[True], step])]
    return first, box


def in_both_precisions(network: Network, objectives: Objectives, free: IntArray) -> tuple[Evaluator, Evaluator]:
    """Return what bounds parts fast, and what bounds those that rounding errors leave in doubt."""
    return Evaluator(network, objectives, free, SINGLE), Evaluator(network, objectives, free, DOUBLE)
