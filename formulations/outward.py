"""Bounds fit to be coefficients: their magnitude is zero or at least `SMALLEST`.

Bounds become the coefficients of phase binaries. Solvers drop very small ones, presolve divides by them (HiGHS calls a
feasible model infeasible when one is 1e-12), and one no larger than the feasibility tolerance decides nothing. A looser
bound is as valid, and the difference is too small to matter.
"""

from __future__ import annotations

import numpy as np

from formulations.milp import FloatArray

#: Magnitude below which a bound is rounded outward: ten times the feasibility tolerance of solvers.
SMALLEST = 1e-5


def outward(lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return bounds that contain ``[lower, upper]`` and whose magnitude is zero or at least `SMALLEST`.

    Examples
    --------
    >>> import numpy as np
    >>> from formulations.outward import outward
    >>> [bound.tolist() for bound in outward(np.array([-1e-12, 1e-9]), np.array([1.0, 2.0]))]
    [[-1e-05, 0.0], [1.0, 2.0]]
    """
    low = np.where((lower < 0.0) & (lower > -SMALLEST), -SMALLEST, np.where(np.abs(lower) < SMALLEST, 0.0, lower))
    high = np.where((upper > 0.0) & (upper < SMALLEST), SMALLEST, np.where(np.abs(upper) < SMALLEST, 0.0, upper))
    return low, high
