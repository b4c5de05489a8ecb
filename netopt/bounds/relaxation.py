r"""Linear functions below and above ReLU on ``[l, u]``: ``alpha a <= max(0, a) <= s a + t``.

Unstable: s is the slope of the chord and ``alpha`` is 1 where ``u > -l``, else 0 (the smaller area; Zhang et al.,
*Efficient neural network robustness certification with general activation functions*, NeurIPS 2018). Any s in [0, 1] is
valid with ``t = max(-s l, u - s u)``, which is how the rounding of s is made harmless.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from netopt.arrays import FloatArray
from netopt.bounds.rounding import TINY, UNIT_ROUNDOFF


@dataclass(frozen=True, slots=True, eq=False)
class Relaxation:
    """The lines of one ReLU layer over a batch of B input sets; every array is (B, size).

    Attributes
    ----------
    lower_slope : alpha.
    upper_slope, upper_intercept : s and t, t rounded up.
    reach : largest absolute value of the pre-activation.
    """

    lower_slope: FloatArray
    upper_slope: FloatArray
    upper_intercept: FloatArray
    reach: FloatArray


def relax(lower: FloatArray, upper: FloatArray, slope_type: DTypeLike = np.float64) -> Relaxation:
    """Return the lines for pre-activation bounds (B, size); upper slopes are numbers of `slope_type`."""
    unstable = (lower < 0.0) & (upper > 0.0)
    stable_slope = (upper > 0.0).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        width = np.where(unstable, upper - lower, 1.0)
        slope = np.where(unstable, np.clip(upper / width, 0.0, 1.0), stable_slope)
        slope = slope.astype(slope_type).astype(np.float64)
        intercept = np.maximum(-slope * lower, upper - slope * upper) * (1.0 + 8.0 * UNIT_ROUNDOFF) + TINY
        # u (1 - s) errs by a rounding of s u, which the factor does not cover when s is near 1.
        intercept += 2.0 * UNIT_ROUNDOFF * upper
    return Relaxation(
        lower_slope=np.where(unstable, (upper > -lower).astype(np.float64), stable_slope),
        upper_slope=slope,
        upper_intercept=np.where(unstable, intercept, 0.0),
        reach=np.maximum(np.abs(lower), np.abs(upper)),
    )
