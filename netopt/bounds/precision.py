"""Floating-point types that rows can be carried in, with what bounds their rounding errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from netopt.arrays import FloatArray

#: An array of some `Precision`; typed loosely because the linear maps' signatures name float64, which these may not be.
Floats = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Precision:
    """A floating-point type.

    Attributes
    ----------
    dtype : of the arrays.
    unit_roundoff : half the distance from 1 to the next number.
    tiny : the smallest normal number: more than any underflow can lose.

    Examples
    --------
    >>> from netopt.bounds.precision import SINGLE
    >>> float(SINGLE.above(np.array([0.1]))[0]) > 0.1
    True
    """

    dtype: DTypeLike
    unit_roundoff: float
    tiny: float

    def gamma(self, terms: int) -> float:
        """Return ``k u / (1 - k u)`` for a sum of `terms` products; infinite where nothing can be said."""
        share = terms * self.unit_roundoff
        return share / (1.0 - share) if share < 0.5 else np.inf

    def nearest(self, values: FloatArray) -> Floats:
        """Return float64 values rounded to this type."""
        with np.errstate(over="ignore", under="ignore"):
            rounded: Floats = values.astype(self.dtype, copy=False)
        return rounded

    def above(self, values: FloatArray) -> Floats:
        """Return numbers of this type that are not below float64 values."""
        rounded = self.nearest(values)
        with np.errstate(over="ignore", under="ignore"):
            return np.where(rounded < values, np.nextafter(rounded, np.array(np.inf, rounded.dtype)), rounded)


SINGLE = Precision(np.float32, 2.0**-24, float(np.finfo(np.float32).tiny))
DOUBLE = Precision(np.float64, 2.0**-53, float(np.finfo(np.float64).tiny))
