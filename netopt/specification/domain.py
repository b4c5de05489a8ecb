"""What a network's inputs may be. Bounds, attacks and encodings all go through these methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from formulations.milp import MilpBuilder


class Domain(ABC):
    """A closed, bounded set of input vectors of length n.

    Concrete domains are frozen dataclasses, one file each: box, L1 ball within a box, polytope, integer points.
    """

    @property
    @abstractmethod
    def lower(self) -> FloatArray:
        """Lower corner of the tightest known enclosing box, (n,)."""

    @property
    @abstractmethod
    def upper(self) -> FloatArray:
        """Upper corner of the tightest known enclosing box, (n,)."""

    @property
    def dimension(self) -> int:
        """Number of inputs n."""
        return self.lower.size

    @property
    def center(self) -> FloatArray:
        """A member of the domain to start from, (n,)."""
        middle: FloatArray = self.project(((self.lower + self.upper) / 2.0)[None])[0]
        return middle

    @property
    def integral(self) -> BoolArray:
        """Which inputs take integers only, (n,)."""
        return np.zeros(self.dimension, dtype=bool)

    @abstractmethod
    def is_empty(self) -> bool:
        """Return True when no point satisfies the constraints."""

    @abstractmethod
    def maximize_linear(self, coefficients: FloatArray) -> FloatArray:
        """Return an upper bound of ``max c x`` over the domain for each row c: (k, n) -> (k,).

        Exact up to rounding (which it does not account for) for boxes and L1 balls; a valid bound for the others.
        """

    @abstractmethod
    def maximizer(self, coefficients: FloatArray) -> FloatArray:
        """Return a member that (nearly) maximises each row: (k, n) -> (k, n)."""

    @abstractmethod
    def project(self, points: FloatArray) -> FloatArray:
        """Return members near the points: (k, n) -> (k, n); members are returned unchanged."""

    @abstractmethod
    def sample(self, generator: np.random.Generator, count: int) -> FloatArray:
        """Return `count` members spread over the domain, (count, n)."""

    @abstractmethod
    def contains(self, points: FloatArray, tolerance: float = 0.0) -> BoolArray:
        """Return which points are members within an absolute `tolerance`: (k, n) -> (k,)."""

    @abstractmethod
    def encode(self, builder: MilpBuilder) -> IntArray:
        """Add the inputs as columns ``x.0 … x.{n-1}`` and the domain's rows; return the columns, (n,).

        Auxiliary columns are added after the inputs; `complete` fills them.
        """

    def complete(self, point: FloatArray) -> FloatArray:
        """Return the values of every column `encode` added, in order, at a member of the domain."""
        return point
