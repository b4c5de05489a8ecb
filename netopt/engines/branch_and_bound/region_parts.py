"""Parts of a search that splits boxes and, once few ReLUs are unstable in one, those."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import Entries, FloatArray, IntArray
from netopt.engines.branch_and_bound.box_parts import BoxParts, outward
from netopt.proof.trail import Trail


@dataclass(frozen=True, slots=True, eq=False)
class RegionParts(Entries):
    """k parts: a box, in which some ReLUs have a fixed phase, and one objective.

    Attributes
    ----------
    low, high : (k, n) corners.
    phase : (k, neurons) of all ReLUs side by side, 1 where one is fixed active, -1 inactive, 0 otherwise.
    known_lower, known_upper : (k, neurons) bounds of the pre-activations, rounded outward.
    objective : (k,) which one.
    upper : (k, d) proven bounds, -inf for all objectives but the part's own.
    number : (k,) in the trail of a proof log.
    """

    low: FloatArray
    high: FloatArray
    phase: NDArray[np.int8]
    known_lower: NDArray[np.float32]
    known_upper: NDArray[np.float32]
    objective: IntArray
    upper: FloatArray
    number: IntArray

    @classmethod
    def whole(cls, low: FloatArray, high: FloatArray, known: tuple[FloatArray, FloatArray], number: IntArray) -> Self:
        """Return a box, once for each objective, given bounds (neurons,) of its pre-activations."""
        objectives = len(number)
        upper = np.full((objectives, objectives), -np.inf)
        np.fill_diagonal(upper, np.inf)
        lower_known, upper_known = outward(*known)
        return cls(
            np.tile(low, (objectives, 1)),
            np.tile(high, (objectives, 1)),
            np.zeros((objectives, lower_known.size), np.int8),
            np.tile(lower_known, (objectives, 1)),
            np.tile(upper_known, (objectives, 1)),
            np.arange(objectives),
            upper,
            number,
        )

    @classmethod
    def of_boxes(cls, boxes: BoxParts) -> Self:
        """Return the open parts of a search that splits boxes, to go on from there."""
        return cls(
            boxes.low,
            boxes.high,
            np.zeros(boxes.known_lower.shape, np.int8),
            boxes.known_lower,
            boxes.known_upper,
            boxes.objective,
            boxes.upper,
            boxes.number,
        )

    @property
    def count(self) -> int:
        """Number of parts."""
        return len(self.low)

    @property
    def bound(self) -> FloatArray:
        """Return the bound of each part's own objective, (k,)."""
        own: FloatArray = self.upper[np.arange(self.count), self.objective]
        return own

    def halved(self, axis: IntArray, trail: Trail) -> Self:
        """Return the lower halves of the boxes along an input each, then the upper ones."""
        which = np.arange(self.count)
        middle = 0.5 * self.low[which, axis] + 0.5 * self.high[which, axis]
        both = self._both(trail.split_axis(self.number, axis, middle))
        both.high[which, axis] = middle
        both.low[which + self.count, axis] = middle
        return both

    def with_phases(self, neuron: IntArray, trail: Trail) -> Self:
        """Return the parts with a neuron each fixed active, then with it fixed inactive."""
        which = np.arange(self.count)
        both = self._both(trail.split_phase(self.number, neuron))
        both.phase[which, neuron] = 1
        both.known_lower[which, neuron] = 0.0
        both.phase[which + self.count, neuron] = -1
        both.known_upper[which + self.count, neuron] = 0.0
        return both

    def _both(self, number: IntArray) -> Self:
        """Return the parts twice, under other numbers."""
        return replace(self.take(np.tile(np.arange(self.count), 2)), number=number)
