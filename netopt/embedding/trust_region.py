"""Trust regions: inputs near the data a network was trained on, where its answers mean something."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from formulations.milp import MilpBuilder
from netopt.arrays import FloatArray, IntArray
from netopt.checks import as_numbers
from netopt.errors import InputError


class TrustRegion(ABC):
    """A set of inputs, in the user's units, that the decision must lie in."""

    @property
    @abstractmethod
    def lower(self) -> FloatArray:
        """Lower corner of the enclosing box, (n,)."""

    @property
    @abstractmethod
    def upper(self) -> FloatArray:
        """Upper corner of the enclosing box, (n,)."""

    @abstractmethod
    def encode(self, builder: MilpBuilder, columns: IntArray, matrix: sparse.csr_array, constant: FloatArray) -> None:
        """Write what the box does not say of ``x = matrix @ w[columns] + constant``."""


@dataclass(frozen=True, slots=True, eq=False)
class DataBox(TrustRegion):
    """The smallest box that holds the data, widened by a fraction of each side.

    Parameters
    ----------
    points : (points, n) data in the user's units.
    margin : fraction of each side added at both ends, 0 by default.

    Examples
    --------
    >>> from netopt.embedding import DataBox
    >>> DataBox([[0.0, 1.0], [2.0, 5.0]], margin=0.5).upper.tolist()
    [3.0, 7.0]
    """

    points: ArrayLike
    margin: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _check_points(self.points))
        if not 0.0 <= self.margin < np.inf:
            raise InputError(f"the margin of a DataBox is {self.margin}; it must be finite and at least 0")

    @property
    def lower(self) -> FloatArray:
        points = np.asarray(self.points, dtype=np.float64)
        return np.asarray(points.min(axis=0) - self.margin * np.ptp(points, axis=0))

    @property
    def upper(self) -> FloatArray:
        points = np.asarray(self.points, dtype=np.float64)
        return np.asarray(points.max(axis=0) + self.margin * np.ptp(points, axis=0))

    def encode(self, builder: MilpBuilder, columns: IntArray, matrix: sparse.csr_array, constant: FloatArray) -> None:
        """Write nothing: the box says it all, and the inputs are held in it already."""


@dataclass(frozen=True, slots=True, eq=False)
class DataHull(TrustRegion):
    """The convex hull of the data: x is a mean of the points with weights that are columns of the model.

    Parameters
    ----------
    points : (points, n) data in the user's units; each becomes a column.
    """

    points: ArrayLike

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _check_points(self.points))

    @property
    def lower(self) -> FloatArray:
        least: FloatArray = np.asarray(self.points, dtype=np.float64).min(axis=0)
        return least

    @property
    def upper(self) -> FloatArray:
        most: FloatArray = np.asarray(self.points, dtype=np.float64).max(axis=0)
        return most

    def encode(self, builder: MilpBuilder, columns: IntArray, matrix: sparse.csr_array, constant: FloatArray) -> None:
        points = np.asarray(self.points, dtype=np.float64)
        weights = builder.add_columns(points.shape[0], upper=1.0, name="hull.weight")
        mean = sparse.csr_array(-points.T)
        builder.add_rows((columns, matrix), (weights, mean), lower=-constant, upper=-constant, name="hull.mean")
        ones = sparse.csr_array(np.ones((1, points.shape[0])))
        builder.add_rows((weights, ones), lower=1.0, upper=1.0, name="hull.sum")


def _check_points(points: ArrayLike) -> FloatArray:
    array = as_numbers(points, "the points of a trust region")
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise InputError(f"a trust region needs a (points, n) array of finite numbers; it has shape {array.shape}")
    return array
