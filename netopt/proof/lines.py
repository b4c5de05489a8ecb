r"""Lines above and below ReLU: ``alpha z <= max(0, z) <= s z + t`` on ``[l, u]``.

``alpha z`` is below for every ``alpha`` in [0, 1]. Above, s is about ``u / (u - l)``, and ``t = max(-s l, u - s u)``
makes any s in [0, 1] right: the difference of a convex function and a line is largest at an end. Where the phase is
fixed, by the bounds or by a split, both lines are the ReLU itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import FloatArray
from netopt.proof.arithmetic import TINY, UNIT


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The lines of one ReLU for each of p rows, or for all of them (p = 1); every array is (p, size).

    Attributes
    ----------
    below : alpha.
    above, intercept : s and t.
    """

    below: FloatArray
    above: FloatArray
    intercept: FloatArray


def lines_of(
    lower: FloatArray, upper: FloatArray, phase: NDArray[np.int8] | None = None, slope: FloatArray | None = None
) -> Lines:
    """Return lines for pre-activation bounds (p, size).

    Parameters
    ----------
    phase : (p, size), 1 where a split fixed the neuron active, -1 inactive, 0 neither; None for no splits.
    slope : (p, size) alpha of the neurons that are not fixed; None for 1 where ``u > -l`` and else 0.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        active, inactive = lower >= 0.0, upper <= 0.0
        if phase is not None:
            active, inactive = (active & (phase >= 0)) | (phase > 0), (inactive & (phase <= 0)) | (phase < 0)
        free = ~(active | inactive)
        share = np.clip(upper / np.where(free, upper - lower, 1.0), 0.0, 1.0)
        # u - s u errs by two roundings of at most u, -s l by one of -s l.
        intercept = np.maximum(-share * lower, upper - share * upper) * (1.0 + 4.0 * UNIT) + 4.0 * UNIT * upper + TINY
        chosen = (upper > -lower).astype(np.float64) if slope is None else np.clip(slope, 0.0, 1.0)
    exact = active.astype(np.float64)
    return Lines(
        below=np.where(free, chosen, exact),
        above=np.where(free, share, exact),
        intercept=np.where(free, intercept, 0.0),
    )
