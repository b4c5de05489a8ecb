r"""Boxes shrunk to where a disjunct can hold, by linear functions above its slacks.

Where a slack is at most ``a x + d``, the disjunct needs ``a x + d >= 0``. With ``v = max a x + d`` over the box that
implies ``x_j >= u_j - v / a_j`` for ``a_j > 0`` and ``x_j <= l_j - v / a_j`` for ``a_j < 0``.
"""

from __future__ import annotations

import numpy as np

from netopt.arrays import FloatArray
from netopt.proof.arithmetic import TINY, UNIT


def clip(lower: FloatArray, upper: FloatArray, slope: FloatArray, largest: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return boxes (k, n) that hold what ``slope @ x + d >= 0`` leaves of boxes.

    Parameters
    ----------
    slope : (k, n).
    largest : (k,) upper bounds of the functions over their boxes, not negative.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        room = largest[:, None] / np.abs(slope)
        room = room + 8.0 * UNIT * (room + np.abs(lower) + np.abs(upper)) + TINY
        raised = np.where((slope > 0.0) & (upper - room > lower), upper - room, lower)
        lowered = np.where((slope < 0.0) & (lower + room < upper), lower + room, upper)
    return raised, lowered
