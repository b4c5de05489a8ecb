"""Discrete inputs: some inputs of a domain take integers only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.checks import check_kind
from netopt.errors import InputError
from netopt.specification.box import Box
from netopt.specification.domain import Domain

if TYPE_CHECKING:
    from formulations.milp import MilpBuilder, MilpModel

_ALTERNATIONS = 200


@dataclass(frozen=True, eq=False)
class IntegerPoints(Domain):
    """The points of `base` whose inputs in `mask` are integers.

    Parameters
    ----------
    base : any other domain.
    mask : (n,) bool, which inputs are integers.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.specification.box import Box
    >>> from netopt.specification.integer import IntegerPoints
    >>> switches = IntegerPoints(Box(np.zeros(2), np.array([1.0, 0.7])), np.array([True, True]))
    >>> switches.maximize_linear(np.array([[2.0, 5.0]])).tolist()
    [2.0]
    """

    base: Domain
    mask: BoolArray

    def __post_init__(self) -> None:
        check_kind(self.base, Domain, "the base of integer points", "give a Box, an L1Ball or a Polytope")
        mask = np.asarray(self.mask, dtype=bool)
        if mask.shape != (self.base.dimension,):
            raise InputError(
                f"the mask of integer inputs has shape {mask.shape}; give {self.base.dimension} bools, one an input"
            )
        object.__setattr__(self, "mask", mask)

    @cached_property
    def _box(self) -> Box:
        """The tightest box: integer inputs between integers."""
        low, high = self.base.lower, self.base.upper
        return Box(np.where(self.mask, np.ceil(low), low), np.where(self.mask, np.floor(high), high))

    @property
    def lower(self) -> FloatArray:
        return self._box.low

    @property
    def upper(self) -> FloatArray:
        return self._box.high

    @property
    def integral(self) -> BoolArray:
        return self.mask

    @cached_property
    def _empty(self) -> bool:
        if self._box.is_empty() or self.base.is_empty():
            return True
        return not isinstance(self.base, Box) and self._nearest_member(self.base.center) is None

    def is_empty(self) -> bool:
        return self._empty

    def maximize_linear(self, coefficients: FloatArray) -> FloatArray:
        over_box = self._box.maximize_linear(coefficients)
        if isinstance(self.base, Box):
            return over_box
        return np.minimum(over_box, self.base.maximize_linear(coefficients))

    def maximizer(self, coefficients: FloatArray) -> FloatArray:
        if isinstance(self.base, Box):
            return self._rounded(self._box.maximizer(coefficients))
        return self.project(self.base.maximizer(coefficients))

    def project(self, points: FloatArray) -> FloatArray:
        """Return members near the points: rounded where that stays inside, else the nearest in L1 by a small MILP."""
        result = self._rounded(self.base.project(points))
        for k in np.flatnonzero(~self.contains(result)):
            member = self._nearest_member(points[k])
            if member is None:
                raise InputError("no input of the domain has integers where they are asked for; widen its bounds")
            result[k] = member
        return result

    def _rounded(self, points: FloatArray) -> FloatArray:
        nearest = np.where(self.mask, np.rint(points), points)
        return np.where(self.mask, np.clip(nearest, self.lower, self.upper), nearest)

    def _nearest_member(self, point: FloatArray) -> FloatArray | None:
        """Return the member nearest to a point in the L1 norm, None when there is none."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        from formulations.milp import MilpBuilder

        builder = MilpBuilder()
        x = self.encode(builder)
        above = builder.add_columns(x.size)
        below = builder.add_columns(x.size)
        builder.add_rows((x, 1.0), (above, -1.0), (below, 1.0), lower=point, upper=point)
        distances = np.concatenate([above, below])
        builder.set_objective(distances, np.ones(distances.size))
        model = builder.build()
        answer = milp(
            model.objective,
            integrality=model.integral.astype(np.int64),
            bounds=Bounds(model.column_lower, model.column_upper),
            constraints=LinearConstraint(model.matrix, model.row_lower, model.row_upper),
        )
        if answer.x is None:
            return None
        return self._settled(answer.x[x])

    def _settled(self, near: FloatArray) -> FloatArray:
        """Return a solver's point with exact integers, the other inputs put back inside by alternating projections."""
        fixed = np.where(self.mask, np.rint(near), near)
        point = fixed
        for _ in range(_ALTERNATIONS):
            if self.base.contains(point[None])[0]:
                break
            point = np.where(self.mask, fixed, self.base.project(point[None])[0])
        return point

    def sample(self, generator: np.random.Generator, count: int) -> FloatArray:
        if isinstance(self.base, Box):
            drawn = self._box.sample(generator, count)
            integers = np.floor(generator.uniform(size=drawn.shape) * (self.upper - self.lower + 1.0)) + self.lower
            return np.where(self.mask, np.minimum(integers, self.upper), drawn)
        return self.project(self.base.sample(generator, count))

    def contains(self, points: FloatArray, tolerance: float = 0.0) -> BoolArray:
        off = np.abs(points - np.rint(points))[:, self.mask]
        return np.asarray(self.base.contains(points, tolerance) & (off <= tolerance).all(axis=1))

    def encode(self, builder: MilpBuilder) -> IntArray:
        from formulations.milp import MilpBuilder

        inner = MilpBuilder()
        self.base.encode(inner)
        return _copied(inner.build(), builder, self._box, self.mask)

    def complete(self, point: FloatArray) -> FloatArray:
        return self.base.complete(point)


def _copied(model: MilpModel, builder: MilpBuilder, box: Box, mask: BoolArray) -> IntArray:
    """Copy a domain's columns and rows into `builder`, the inputs (its first columns) within `box` and integral."""
    parts = [builder.add_columns(box.dimension, lower=box.low, upper=box.high, integral=mask, name="x")]
    first = box.dimension
    for block in model.column_blocks[1:]:
        last = first + block.index.size
        lower, upper = model.column_lower[first:last], model.column_upper[first:last]
        parts.append(
            builder.add_columns(block.index.size, lower=lower, upper=upper, name=block.prefix, index=block.index)
        )
        first = last
    columns, first = np.concatenate(parts), 0
    for block in model.row_blocks:
        last = first + block.index.size
        sides = {"lower": model.row_lower[first:last], "upper": model.row_upper[first:last]}
        builder.add_rows((columns, model.matrix[first:last]), name=block.prefix, index=block.index, **sides)
        first = last
    return parts[0]


def continuous(domain: Domain) -> Domain:
    """Return a domain without the integrality of its inputs."""
    return domain.base if isinstance(domain, IntegerPoints) else domain
