"""Open parts of a search that splits boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.boxes import BoundedBoxes, Known
from netopt.bounds.precision import SINGLE
from netopt.network.network import Network


@dataclass(frozen=True, slots=True, eq=False)
class BoxParts:
    """k boxes, each about one objective, with what is known there.

    Attributes
    ----------
    low, high : (k, n) corners.
    objective : (k,) position of the objective.
    value : (k,) its proven bound.
    known_lower, known_upper : (k, neurons) bounds of the pre-activations of all ReLUs, side by side, rounded outward.
    number : (k,) in the trail of a proof log.
    objectives : how many there are.
    """

    low: FloatArray
    high: FloatArray
    objective: IntArray
    value: FloatArray
    known_lower: NDArray[np.float32]
    known_upper: NDArray[np.float32]
    number: IntArray
    objectives: int

    @property
    def count(self) -> int:
        """Number of parts."""
        return len(self.low)

    @property
    def upper(self) -> FloatArray:
        """Proven bounds (count, d), -inf for the objectives a part is not about."""
        bounds = np.full((self.count, self.objectives), -np.inf)
        bounds[np.arange(self.count), self.objective] = self.value
        return bounds

    def take(self, which: IntArray | BoolArray | slice) -> Self:
        """Return some of the parts."""
        return replace(self, **{name: getattr(self, name)[which] for name in _ARRAYS})

    @property
    def bytes_each(self) -> int:
        """Bytes that a part takes."""
        return 16 * int(self.low.shape[1]) + 8 * int(self.known_lower.shape[1]) + 24

    def then(self, other: Self) -> Self:
        """Return these parts followed by others."""
        return self.join([other])

    def join(self, others: Sequence[Self]) -> Self:
        """Return these parts followed by those of several."""
        filled = [parts for parts in (self, *others) if parts.count]
        if len(filled) < 2:
            return filled[0] if filled else self
        arrays: dict[str, Any] = {name: np.concatenate([getattr(parts, name) for parts in filled]) for name in _ARRAYS}
        return replace(self, **arrays)


_ARRAYS = tuple(field.name for field in fields(BoxParts) if field.name != "objectives")


def outward(lower: FloatArray, upper: FloatArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return bounds in single precision, rounded outward."""
    return np.asarray(-SINGLE.above(-lower), np.float32), np.asarray(SINGLE.above(upper), np.float32)


class SideBySide:
    """Where each ReLU's neurons stand in `BoxParts.known_lower`."""

    def __init__(self, network: Network) -> None:
        self._relus, self._where = network.relus, network.relu_columns

    def pack(self, pairs: Known, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the bounds (count, size) of every Relu side by side, rounded outward."""
        nothing = [np.zeros((count, 0))]
        lower = np.concatenate(nothing + [pairs[relu.name][0] for relu in self._relus], axis=1)
        upper = np.concatenate(nothing + [pairs[relu.name][1] for relu in self._relus], axis=1)
        return outward(lower, upper)

    def of(self, boxes: BoundedBoxes, which: IntArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the bounds of some of the boxes."""
        pairs = {relu.name: boxes.bounds_of(relu) for relu in self._relus}
        taken = {name: (lower.take(which, axis=0), upper.take(which, axis=0)) for name, (lower, upper) in pairs.items()}
        return self.pack(taken, len(which))

    def known(self, parts: BoxParts) -> Known:
        """Return the bounds that parts have brought with them."""
        return {
            name: (parts.known_lower[:, at].astype(np.float64), parts.known_upper[:, at].astype(np.float64))
            for name, at in self._where.items()
        }
