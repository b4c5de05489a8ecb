r"""L1 balls cut by a box: the changes of all inputs together stay within a budget.

.. math:: \{x : \|x - c\|_1 \le r,\; l \le x \le u\}

With b the point of the box nearest to c, every x of the box has :math:`|x_j - c_j| = |b_j - c_j| + |x_j - b_j|`, so
the set is the ball around b with the radius :math:`\rho = r - \|b - c\|_1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray, sparse
from netopt.checks import as_numbers, is_number
from netopt.errors import InputError
from netopt.specification.box import Box
from netopt.specification.domain import Domain

if TYPE_CHECKING:
    from formulations.milp import MilpBuilder

_EPSILON = float(np.finfo(np.float64).eps)
#: Halvings of the multiplier's range in `L1Ball.project`: float64 has no finer ones.
_HALVINGS = 60


@dataclass(frozen=True, eq=False)
class L1Ball(Domain):
    """``sum |x - middle| <= radius`` within ``low <= x <= high``.

    Membership is decided up to the rounding error of the sum itself.

    Parameters
    ----------
    middle : (n,) float64, the centre; it may lie outside of the box.
    radius : >= 0, finite.
    low, high : (n,) float64, the box.

    Examples
    --------
    With a budget of 1 only the input with the largest coefficient moves:

    >>> import numpy as np
    >>> from netopt.specification.l1_ball import L1Ball
    >>> ball = L1Ball(np.zeros(3), 1.0, np.full(3, -1.0), np.ones(3))
    >>> ball.maximize_linear(np.array([[1.0, -3.0, 2.0]])).tolist()
    [3.0]
    """

    middle: FloatArray
    radius: float
    low: FloatArray
    high: FloatArray

    def __post_init__(self) -> None:
        box = Box(self.low, self.high)
        middle = as_numbers(self.middle, "the centre of an L1 ball")
        if middle.shape != box.low.shape or not np.isfinite(middle).all():
            raise InputError(
                f"the centre of an L1 ball needs {box.dimension} finite entries; shape {middle.shape} was given"
            )
        if not (is_number(self.radius) and np.isfinite(self.radius) and self.radius >= 0.0):
            raise InputError(f"the radius of an L1 ball must be finite and not negative, {self.radius} was given")
        object.__setattr__(self, "middle", middle)
        object.__setattr__(self, "low", box.low)
        object.__setattr__(self, "high", box.high)

    @cached_property
    def base(self) -> FloatArray:
        """The point of the box nearest to the centre, (n,)."""
        return np.clip(self.middle, self.low, self.high)

    @cached_property
    def budget(self) -> float:
        """What is left of the radius at `base`; negative when the domain is empty."""
        return self.radius - float(np.abs(self.base - self.middle).sum())

    @cached_property
    def _room(self) -> tuple[FloatArray, FloatArray]:
        """How far each input may fall and rise from the base."""
        budget = max(self.budget, 0.0)
        down, up = np.minimum(self.base - self.low, budget), np.minimum(self.high - self.base, budget)
        return np.maximum(down, 0.0), np.maximum(up, 0.0)

    @cached_property
    def lower(self) -> FloatArray:
        return np.maximum(self.low, self.base - self._room[0])

    @cached_property
    def upper(self) -> FloatArray:
        return np.minimum(self.high, self.base + self._room[1])

    @property
    def center(self) -> FloatArray:
        return self.base

    def is_empty(self) -> bool:
        return self.budget < -self._rounding(self.base[None])[0] or bool((self.low > self.high).any())

    def maximize_linear(self, coefficients: FloatArray) -> FloatArray:
        order, moves = self._spend(coefficients)
        gains = np.take_along_axis(np.abs(coefficients), order, axis=1)
        return np.asarray(coefficients @ self.base + (gains * moves).sum(axis=1))

    def maximizer(self, coefficients: FloatArray) -> FloatArray:
        order, moves = self._spend(coefficients)
        signed = np.zeros(coefficients.shape)
        np.put_along_axis(signed, order, moves, axis=1)
        return np.clip(self.base + np.sign(coefficients) * signed, self.low, self.high)

    def _spend(self, coefficients: FloatArray) -> tuple[IntArray, FloatArray]:
        """Spend the budget on the largest coefficients first; return (inputs in that order, how far each moves)."""
        down, up = self._room
        order = np.argsort(-np.abs(coefficients), axis=1, kind="stable")
        room = np.where(coefficients > 0.0, up, np.where(coefficients < 0.0, down, 0.0))
        room = np.take_along_axis(room, order, axis=1)
        before = np.cumsum(room, axis=1) - room
        return order, np.clip(max(self.budget, 0.0) - before, 0.0, room)

    def project(self, points: FloatArray) -> FloatArray:
        """Return the nearest members (Euclidean): ``base + shrink(points - base)`` with the multiplier by bisection."""
        clipped = np.clip(points, self.low, self.high)
        outside = np.flatnonzero(~self.contains(clipped))
        if not outside.size:
            return clipped
        shift = points[outside] - self.base
        down, up = self._room
        size, room = np.abs(shift), np.where(shift > 0.0, up, down)
        small, large = np.zeros(outside.size), size.max(axis=1)
        for _ in range(_HALVINGS):
            multiplier = (small + large) / 2.0
            spent = np.clip(size - multiplier[:, None], 0.0, room).sum(axis=1)
            fits = spent <= self.budget
            large, small = np.where(fits, multiplier, large), np.where(fits, small, multiplier)
        moves = np.sign(shift) * np.clip(size - large[:, None], 0.0, room)
        clipped[outside] = np.clip(self.base + moves, self.low, self.high)
        return clipped

    def sample(self, generator: np.random.Generator, count: int) -> FloatArray:
        """Return members that spend a random share of the budget, split at random among inputs (a few, or all)."""
        n = self.dimension
        weights = generator.exponential(size=(count, n)) ** generator.uniform(0.5, 6.0, size=(count, 1))
        share = generator.uniform(size=(count, 1)) ** (1.0 / max(n, 1))
        moves = share * max(self.budget, 0.0) * weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
        signs = generator.choice([-1.0, 1.0], size=(count, n))
        down, up = self._room
        signs = np.where(up <= 0.0, -1.0, np.where(down <= 0.0, 1.0, signs))
        return np.asarray(np.clip(self.base + signs * moves, self.low, self.high))

    def contains(self, points: FloatArray, tolerance: float = 0.0) -> BoolArray:
        inside = ((points >= self.low - tolerance) & (points <= self.high + tolerance)).all(axis=1)
        distance = np.abs(points - self.middle).sum(axis=1)
        return np.asarray(inside & (distance <= self.radius + tolerance + self._rounding(points)))

    def _rounding(self, points: FloatArray) -> FloatArray:
        """Return what rounding the points and their distances may add to the distance, (k,)."""
        size = np.abs(points).sum(axis=1) + np.abs(self.middle).sum() + self.dimension * self.radius
        return np.asarray(2.0 * _EPSILON * size)

    def encode(self, builder: MilpBuilder) -> IntArray:
        """Write ``x = base + rise - fall`` and ``sum(rise) + sum(fall) <= budget``: at most 2 n columns, n + 1 rows."""
        x = builder.add_columns(self.dimension, lower=self.lower, upper=self.upper, name="x")
        down, up = self._room
        rising, falling = np.flatnonzero(up > 0.0), np.flatnonzero(down > 0.0)
        rise = builder.add_columns(rising.size, upper=up[rising], name="x.rise", index=rising)
        fall = builder.add_columns(falling.size, upper=down[falling], name="x.fall", index=falling)
        builder.add_rows(
            (x, 1.0),
            (rise, _selection(self.dimension, rising, -1.0)),
            (fall, _selection(self.dimension, falling, 1.0)),
            lower=self.base,
            upper=self.base,
            name="x.split",
        )
        moves = np.concatenate([rise, fall])
        builder.add_rows((moves, sparse.csr_array(np.ones((1, moves.size)))), upper=self.budget, name="x.budget")
        return x

    def complete(self, point: FloatArray) -> FloatArray:
        down, up = self._room
        shift = point - self.base
        return np.concatenate([point, np.maximum(shift, 0.0)[up > 0.0], np.maximum(-shift, 0.0)[down > 0.0]])


def _selection(rows: int, chosen: IntArray, value: float) -> sparse.csr_array:
    """Return the (rows, len(chosen)) matrix with `value` at (chosen[k], k)."""
    entries = (np.full(chosen.size, value), (chosen, np.arange(chosen.size)))
    return sparse.csr_array(sparse.coo_array(entries, shape=(rows, chosen.size)))
