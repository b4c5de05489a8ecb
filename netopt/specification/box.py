"""Boxes: independent bounds on every input. An L-infinity ball is a box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.checks import as_numbers
from netopt.errors import InputError
from netopt.specification.domain import Domain

if TYPE_CHECKING:
    from formulations.milp import MilpBuilder


@dataclass(frozen=True, eq=False)
class Box(Domain):
    """``lower <= x <= upper``, componentwise and finite.

    Parameters
    ----------
    low, high : (n,) float64.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.specification.box import Box
    >>> box = Box(np.zeros(2), np.ones(2))
    >>> box.maximize_linear(np.array([[1.0, -1.0]])).tolist()
    [1.0]
    """

    low: FloatArray
    high: FloatArray

    def __post_init__(self) -> None:
        low, high = as_numbers(self.low, "the lower bounds"), as_numbers(self.high, "the upper bounds")
        if low.ndim != 1 or low.shape != high.shape:
            raise InputError(f"a box needs two vectors of one length; shapes {low.shape} and {high.shape} were given")
        bad = np.flatnonzero(~(np.isfinite(low) & np.isfinite(high)))
        if bad.size:
            k = int(bad[0])
            raise InputError(f"input {k} has the range [{low[k]:g}, {high[k]:g}]; give every input finite bounds")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @classmethod
    def each(cls, low: FloatArray, high: FloatArray) -> list[Box]:
        """Return the boxes with the given finite corners (k, n); faster than one by one for very many."""
        if low.ndim != 2 or low.shape != high.shape or not (np.isfinite(low).all() and np.isfinite(high).all()):
            return [
                cls(first, second) for first, second in zip(low, high, strict=True)
            ]  # one of them says what is wrong
        boxes = []
        for first, second in zip(low, high, strict=True):
            box = cls.__new__(cls)
            object.__setattr__(box, "low", first)
            object.__setattr__(box, "high", second)
            boxes.append(box)
        return boxes

    @classmethod
    def ball(cls, center: ArrayLike, radius: float, lower: ArrayLike = -np.inf, upper: ArrayLike = np.inf) -> Box:
        """Return the L-infinity ball around `center`, cut to ``[lower, upper]``."""
        middle, reach = as_numbers(center, "the center"), as_numbers(radius, "the radius")
        least, most = as_numbers(lower, "the lower bounds"), as_numbers(upper, "the upper bounds")
        if (reach < 0.0).any():
            raise InputError(f"the radius of a ball is {reach.min():g}; give 0 or more")
        for what, array in (("radius", reach), ("lower", least), ("upper", most)):
            if array.shape not in ((), middle.shape):
                raise InputError(
                    f"{what} has shape {array.shape} and the center {middle.shape}; give one number, or one an input"
                )
        return cls(np.maximum(middle - reach, least), np.minimum(middle + reach, most))

    @property
    def lower(self) -> FloatArray:
        return self.low

    @property
    def upper(self) -> FloatArray:
        return self.high

    def is_empty(self) -> bool:
        return bool((self.low > self.high).any())

    def maximize_linear(self, coefficients: FloatArray) -> FloatArray:
        middle = (self.low + self.high) / 2.0
        radius = (self.high - self.low) / 2.0
        return coefficients @ middle + np.abs(coefficients) @ radius

    def maximizer(self, coefficients: FloatArray) -> FloatArray:
        return np.where(coefficients > 0.0, self.high, np.where(coefficients < 0.0, self.low, self.center))

    @property
    def center(self) -> FloatArray:
        return (self.low + self.high) / 2.0

    def project(self, points: FloatArray) -> FloatArray:
        return np.clip(points, self.low, self.high)

    def sample(self, generator: np.random.Generator, count: int) -> FloatArray:
        drawn = generator.uniform(self.low, self.high, size=(count, self.dimension))
        return np.clip(drawn, self.low, self.high)  # low + (high - low) may round past high

    def contains(self, points: FloatArray, tolerance: float = 0.0) -> BoolArray:
        return np.asarray(((points >= self.low - tolerance) & (points <= self.high + tolerance)).all(axis=1))

    def encode(self, builder: MilpBuilder) -> IntArray:
        return builder.add_columns(self.dimension, lower=self.low, upper=self.high, name="x")
