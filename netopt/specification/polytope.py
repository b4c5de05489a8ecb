r"""Polytopes: linear rows on the inputs, within a box.

.. math:: \{x : r_l \le A x \le r_u,\; l \le x \le u\}
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from formulations.milp import MilpBuilder
from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.errors import InputError
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.polytope_bounds import descend_multipliers, dual_bound, propagated_box
from netopt.specification.polytope_lp import inner_point, linear_programs, smallest_violation

_EPSILON = float(np.finfo(np.float64).eps)
#: Rows of a polytope without interior (equations) hold up to this share of the row's size: none has exact members.
_FLAT_TOLERANCE = 1e-9
#: Up to this many objectives a call solves linear programs; beyond, multipliers come from coordinate descent.
_LP_LIMIT = 64
_DYKSTRA_SWEEPS = 100


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
        matrix = sparse.csr_array(self.matrix).astype(np.float64)
        row_lower = np.asarray(self.row_lower, dtype=np.float64)
        row_upper = np.asarray(self.row_upper, dtype=np.float64)
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
        return self._inner[0]

    @cached_property
    def _inner(self) -> tuple[FloatArray, bool]:
        """A member far from every row, and whether the rows have an interior there."""
        point, slack = inner_point(self)
        scale = 1.0 + float(np.abs(point).max(initial=0.0))
        return np.clip(point, self.low, self.high), slack > _FLAT_TOLERANCE * scale

    def is_empty(self) -> bool:
        if (self.low > self.high).any() or (self.row_lower > self.row_upper).any():
            return True
        multipliers = smallest_violation(self)
        sides = np.where(multipliers > 0.0, self.row_upper, self.row_lower)
        used = multipliers != 0.0
        scale = 1.0 + float(np.abs(multipliers[used] * sides[used]).sum())
        return bool(dual_bound(self, np.zeros((1, self.dimension)), multipliers[None])[0] < -1e-9 * scale)

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
        """Return members near the points: Dykstra's projections, then a pull towards an inner member."""
        result = np.clip(points, self.low, self.high)
        outside = np.flatnonzero(~self.contains(result))
        if outside.size:
            result[outside] = self._pulled(self._dykstra(points[outside]))
        return result

    def _dykstra(self, points: FloatArray) -> FloatArray:
        """Project onto each row and the box in turn, with Dykstra's corrections (Boyle and Dykstra 1986)."""
        norms = np.asarray(self.matrix.multiply(self.matrix).sum(axis=1)).ravel()
        rows = [row for row in range(norms.size) if norms[row] > 0.0]
        dense = self.matrix[rows].toarray()
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
            if self.contains(current).all():
                break
        return current

    def _pulled(self, points: FloatArray) -> FloatArray:
        """Return each point moved towards the inner member just as far as the rows need."""
        inner, _ = self._inner
        clipped = np.clip(points, self.low, self.high)
        share = np.ones(points.shape[0])
        at_inner, at_point = self.matrix @ inner, (self.matrix @ clipped.T).T
        for side, sign in ((self.row_upper, 1.0), (self.row_lower, -1.0)):
            room = np.maximum(sign * (side - at_inner), 0.0)
            excess = sign * (at_point - side)
            over = excess > 0.0
            ratio = np.where(over, room / np.where(over, room + excess, 1.0), 1.0)
            share = np.minimum(share, ratio.min(axis=1, initial=1.0))
        outside = ~self.contains(clipped)
        moved = inner + (share[:, None] * (1.0 - 1e-12)) * (clipped - inner)
        result = np.where(outside[:, None], np.clip(moved, self.low, self.high), clipped)
        return np.where(self.contains(result)[:, None], result, inner)

    def sample(self, generator: np.random.Generator, count: int) -> FloatArray:
        """Return random mixtures of vertices found by random linear objectives."""
        n = self.dimension
        vertices = self.maximizer(generator.standard_normal((min(2 * n + 1, 24), n)))
        spread = generator.gamma(generator.uniform(0.1, 1.0, size=(count, 1)), size=(count, vertices.shape[0])) + 1e-12
        return self._pulled((spread / spread.sum(axis=1, keepdims=True)) @ vertices)

    def contains(self, points: FloatArray, tolerance: float = 0.0) -> BoolArray:
        inside = ((points >= self.low - tolerance) & (points <= self.high + tolerance)).all(axis=1)
        activity = (self.matrix @ points.T).T
        size = (abs(self.matrix) @ np.abs(points).T).T
        share = self.dimension * _EPSILON if self._inner[1] else _FLAT_TOLERANCE
        for side, sign in ((self.row_upper, 1.0), (self.row_lower, -1.0)):
            finite = np.isfinite(side)
            allowed = tolerance + share * (size[:, finite] + np.abs(side[finite]))
            inside &= (sign * (activity[:, finite] - side[finite]) <= allowed).all(axis=1)
        return np.asarray(inside)

    def encode(self, builder: MilpBuilder) -> IntArray:
        x = builder.add_columns(self.dimension, lower=self.low, upper=self.high, name="x")
        builder.add_rows((x, self.matrix), lower=self.row_lower, upper=self.row_upper, name="x.row")
        return x
