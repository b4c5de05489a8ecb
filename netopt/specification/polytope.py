r"""Polytopes: linear rows on the inputs, within a box.

.. math:: \{x : r_l \le A x \le r_u,\; l \le x \le u\}
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray, sparse
from netopt.checks import as_numbers
from netopt.errors import InputError
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.polytope_bounds import descend_multipliers, dual_bound, propagated_box
from netopt.specification.polytope_lp import inner_point, linear_programs, nearest_points, smallest_violation

if TYPE_CHECKING:
    from formulations.milp import MilpBuilder

_EPSILON = float(np.finfo(np.float64).eps)
#: Rows of a polytope without interior (equations) hold up to this share of the row's size: none has exact members.
_FLAT_TOLERANCE = 1e-9
#: Up to this many objectives a call solves linear programs; beyond, multipliers come from coordinate descent.
_LP_LIMIT = 64
_DYKSTRA_SWEEPS = 100
#: Vertices that samples are mixtures of; each costs a linear program.
_VERTICES = 8


@dataclass(frozen=True, eq=False)
class Polytope(Domain):
    """``row_lower <= matrix @ x <= row_upper`` within ``low <= x <= high``.

    Membership of the rows is decided up to the rounding error of evaluating them; a polytope without interior, such
    as one with equations, allows 1e-9 of the row's size.

    Parameters
    ----------
    matrix : (rows, n) CSR or dense, finite.
    row_lower, row_upper : (rows,), may be infinite.
    low, high : (n,) float64, the box.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.specification.polytope import Polytope
    >>> triangle = Polytope(np.ones((1, 2)), [-np.inf], [1.0], np.zeros(2), np.ones(2))
    >>> triangle.maximize_linear(np.array([[1.0, 1.0], [1.0, 3.0]])).tolist()
    [1.0, 3.0]
    """

    matrix: sparse.csr_array
    row_lower: FloatArray
    row_upper: FloatArray
    low: FloatArray
    high: FloatArray

    def __post_init__(self) -> None:
        box = Box(self.low, self.high)
        rows = self.matrix if sparse.issparse(self.matrix) else np.atleast_2d(as_numbers(self.matrix, "the rows"))
        matrix = sparse.csr_array(rows).astype(np.float64)
        row_lower = as_numbers(self.row_lower, "the rows' lower sides")
        row_upper = as_numbers(self.row_upper, "the rows' upper sides")
        if matrix.shape != (row_lower.size, box.dimension) or row_lower.shape != row_upper.shape:
            raise InputError(
                f"a polytope over {box.dimension} inputs was given a matrix of shape {matrix.shape}, {row_lower.size}"
                f" lower and {row_upper.size} upper sides; give one column an input and one side a row"
            )
        bad = np.isnan(row_lower) | np.isnan(row_upper) | (row_lower == np.inf) | (row_upper == -np.inf)
        if bad.any() or not np.isfinite(matrix.data).all():
            raise InputError("a row of the polytope has a coefficient or side that is NaN or of the wrong infinity")
        for name, value in (("matrix", matrix), ("row_lower", row_lower), ("row_upper", row_upper)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "low", box.low)
        object.__setattr__(self, "high", box.high)

    @property
    def dimension(self) -> int:
        return self.low.size

    @cached_property
    def _box(self) -> tuple[FloatArray, FloatArray]:
        return propagated_box(self)

    @property
    def lower(self) -> FloatArray:
        return self._box[0]

    @property
    def upper(self) -> FloatArray:
        return self._box[1]

    @property
    def center(self) -> FloatArray:
        if self._inner is None:
            raise InputError("the linear constraints on the inputs contradict each other; no input satisfies them")
        return np.clip(self._inner[0], self.low, self.high)

    @cached_property
    def _inner(self) -> tuple[FloatArray, float] | None:
        """A point far inside all rows and how far, relative to the box; None where the polytope is empty."""
        return inner_point(self)

    @property
    def _has_interior(self) -> bool:
        if self._inner is None:
            return True  # nothing is a member, and no row is to be loosened
        return self._inner[1] > _FLAT_TOLERANCE

    @cached_property
    def _row_size(self) -> FloatArray:
        """The largest ``|A| |x|`` over the box: the size that a row's rounding errors are relative to, (rows,)."""
        return np.asarray(abs(self.matrix) @ np.maximum(np.abs(self.low), np.abs(self.high)))

    def is_empty(self) -> bool:
        if (self.low > self.high).any() or (self.row_lower > self.row_upper).any():
            return True
        multipliers = smallest_violation(self)
        used = multipliers != 0.0
        sides = np.where(multipliers > 0.0, self.row_upper, self.row_lower)[used]
        scale = float((np.abs(multipliers[used]) * (np.abs(sides) + self._row_size[used])).sum())
        return bool(dual_bound(self, np.zeros((1, self.dimension)), multipliers[None])[0] < -_FLAT_TOLERANCE * scale)

    def maximize_linear(self, coefficients: FloatArray) -> FloatArray:
        """Return a valid upper bound for each row: the Lagrangian dual at some multipliers (weak duality)."""
        multipliers = descend_multipliers(self, coefficients)
        bound = dual_bound(self, coefficients, multipliers)
        if self.row_lower.size > 1 and coefficients.shape[0] <= _LP_LIMIT:
            _, multipliers = linear_programs(self, coefficients)
            bound = np.minimum(bound, dual_bound(self, coefficients, multipliers))
        return bound

    def maximizer(self, coefficients: FloatArray) -> FloatArray:
        points, _ = linear_programs(self, coefficients)
        return self._pulled(points)

    def project(self, points: FloatArray) -> FloatArray:
        """Return members near the points: by Dykstra's projections and a pull inwards, else the nearest in L1."""
        result = np.clip(points, self.low, self.high)
        outside = np.flatnonzero(~self.contains(result))
        if outside.size:
            near = self._dykstra(points[outside])
            if not self._has_interior:  # there is nowhere to pull to
                left = np.flatnonzero(~self.contains(near))
                near[left] = nearest_points(self, points[outside[left]])
            result[outside] = self._pulled(near)
        return result

    def _dykstra(self, points: FloatArray) -> FloatArray:
        """Project onto each row and the box in turn, with Dykstra's corrections (Boyle and Dykstra 1986)."""
        norms = np.asarray(self.matrix.multiply(self.matrix).sum(axis=1)).ravel()
        rows = [row for row in range(norms.size) if norms[row] > 0.0]
        dense, lower, upper = self.matrix[rows].toarray(), self.row_lower[rows], self.row_upper[rows]
        allowed = self.dimension * _EPSILON * self._row_size[rows]
        multipliers = np.zeros((len(rows), points.shape[0]))
        correction = np.zeros(points.shape)
        current = points.copy()
        for _ in range(_DYKSTRA_SWEEPS):
            for k, row in enumerate(rows):
                activity = current @ dense[k] + multipliers[k] * norms[row]
                step = (activity - np.clip(activity, self.row_lower[row], self.row_upper[row])) / norms[row]
                current += np.outer(multipliers[k] - step, dense[k])
                multipliers[k] = step
            shifted = current + correction
            current = np.clip(shifted, self.low, self.high)
            correction = shifted - current
            activity = current @ dense.T
            if ((activity <= upper + allowed) & (activity >= lower - allowed)).all():
                break
        return current

    def _pulled(self, points: FloatArray) -> FloatArray:
        """Return each point moved towards the inner member just as far as the rows need."""
        inner = self.center
        clipped = np.clip(points, self.low, self.high)
        share = np.ones(points.shape[0])
        at_inner, at_point = self.matrix @ inner, (self.matrix @ clipped.T).T
        for side, sign in ((self.row_upper, 1.0), (self.row_lower, -1.0)):
            room = np.maximum(sign * (side - at_inner), 0.0)
            excess = sign * (at_point - side)
            over = excess > 0.0
            reach = np.where(over, room, 1.0) + np.where(over, excess, 0.0)  # infinite sides are never over
            ratio = np.where(over, np.where(over, room, 1.0) / reach, 1.0)
            share = np.minimum(share, ratio.min(axis=1, initial=1.0))
        outside = ~self.contains(clipped)
        moved = inner + (share[:, None] * (1.0 - 1e-12)) * (clipped - inner)
        result = np.where(outside[:, None], np.clip(moved, self.low, self.high), clipped)
        return np.where(self.contains(result)[:, None], result, inner)

    def sample(self, generator: np.random.Generator, count: int) -> FloatArray:
        """Return random mixtures of some vertices, found by random linear objectives."""
        n = self.dimension
        vertices = self.maximizer(generator.standard_normal((min(2 * n + 1, _VERTICES), n)))
        spread = generator.gamma(generator.uniform(0.1, 1.0, size=(count, 1)), size=(count, vertices.shape[0])) + 1e-12
        return self._pulled((spread / spread.sum(axis=1, keepdims=True)) @ vertices)

    def contains(self, points: FloatArray, tolerance: float = 0.0) -> BoolArray:
        inside = ((points >= self.low - tolerance) & (points <= self.high + tolerance)).all(axis=1)
        activity = (self.matrix @ points.T).T
        size = (abs(self.matrix) @ np.abs(points).T).T
        exact, loose = inside.copy(), inside
        for side, sign in ((self.row_upper, 1.0), (self.row_lower, -1.0)):
            finite = np.isfinite(side)
            excess = sign * (activity[:, finite] - side[finite]) - tolerance
            scale = size[:, finite] + np.abs(side[finite])
            exact &= (excess <= self.dimension * _EPSILON * scale).all(axis=1)
            loose &= (excess <= _FLAT_TOLERANCE * self._row_size[finite]).all(axis=1)
        loose |= exact
        if (loose == exact).all() or self._has_interior:
            return np.asarray(exact)
        return np.asarray(loose)

    def encode(self, builder: MilpBuilder) -> IntArray:
        x = builder.add_columns(self.dimension, lower=self.low, upper=self.high, name="x")
        builder.add_rows((x, self.matrix), lower=self.row_lower, upper=self.row_upper, name="x.row")
        return x
