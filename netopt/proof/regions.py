"""Subsets of the inputs over which rows are bounded: boxes, each within the domain of the case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.proof.arithmetic import TINY, UNIT, dot, raised, relative
from netopt.specification.box import Box
from netopt.specification.domain import Domain


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """B boxes.

    Attributes
    ----------
    lower, upper : (B, n) float64.
    domain : what the boxes are parts of, where that is no box itself; its own maxima are used as well.
    """

    lower: FloatArray
    upper: FloatArray
    domain: Domain | None = None

    @classmethod
    def of(cls, domain: Domain, lower: FloatArray, upper: FloatArray) -> Regions:
        """Return boxes cut from a domain."""
        return cls(lower, upper, None if type(domain) is Box else domain)

    @property
    def count(self) -> int:
        """Number of boxes B."""
        return len(self.lower)

    def take(self, which: IntArray | slice) -> Regions:
        """Return some of the boxes."""
        return Regions(self.lower[which], self.upper[which], self.domain)

    def maximize(self, coefficients: FloatArray, owner: IntArray | None) -> FloatArray:
        """Return upper bounds of ``c x`` for every row c (p, n) over box ``owner[i]``, (p,)."""
        lower, upper = (self.lower, self.upper) if owner is None else (self.lower[owner], self.upper[owner])
        terms = 2 * coefficients.shape[1] + 1
        positive = np.maximum(coefficients, 0.0)
        negative = coefficients - positive
        size = np.abs(coefficients)
        reach = np.maximum(np.abs(lower), np.abs(upper))
        value: FloatArray = dot(positive, upper) + dot(negative, lower)
        value = value + raised(relative(terms) * dot(size, reach), terms) + 2.0 * UNIT * np.abs(value) + terms * TINY
        value += 2.0 * UNIT * np.abs(value)
        if self.domain is not None:
            # The domain's own maxima and membership are good up to the rounding of a sum over all inputs.
            farthest = np.maximum(np.abs(self.domain.lower), np.abs(self.domain.upper))
            slack = (
                16.0 * relative(terms) * (dot(size, farthest[None]) + farthest.sum() * size.max(axis=1, initial=0.0))
            )
            value = np.minimum(value, self.domain.maximize_linear(coefficients) + slack + terms * TINY)
        return value
