r"""Boxes shrunk to where a disjunct can hold, by linear functions above its slacks.

Where a slack is at most ``a x + d``, the disjunct needs ``a x + d >= 0``. With ``v = max a x + d`` over the box that
implies ``x_j >= u_j - v / a_j`` for ``a_j > 0`` and ``x_j <= l_j - v / a_j`` for ``a_j < 0``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, Entries, FloatArray, IntArray
from netopt.proof.arithmetic import TINY, UNIT, raised, reach, relative

#: Times that linear functions shrink a box.
_SWEEPS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Cuts(Entries):
    """Functions ``slope @ x + level`` above the slacks of k disjuncts, which therefore need ``slope @ x + level >= 0``.

    Attributes
    ----------
    slope, level : (k, rows, n) and (k, rows); a level of +inf for one that says nothing.
    """

    slope: FloatArray
    level: FloatArray

    def replace(self, which: IntArray, other: Cuts) -> None:
        """Put other functions in the place of those of some disjuncts, which have no fewer."""
        rows = other.level.shape[1]
        self.slope[which, :rows], self.level[which, :rows] = other.slope, other.level
        self.level[which, rows:] = np.inf


def clip(lower: FloatArray, upper: FloatArray, cuts: Cuts) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return boxes (k, n) that hold what the cuts leave of boxes, and where they leave anything, (k,)."""
    left = np.ones(len(lower), dtype=bool)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        for k in list(range(cuts.level.shape[1])) * _SWEEPS:
            largest = _largest(lower, upper, cuts.slope[:, k], cuts.level[:, k])
            low, high = _shrunk(lower, upper, cuts.slope[:, k], largest)
            left &= ~(largest < 0.0) & (low <= high).all(axis=1)
            lower, upper = np.where(left[:, None], low, lower), np.where(left[:, None], high, upper)
    return lower, upper, left


def _largest(lower: FloatArray, upper: FloatArray, slope: FloatArray, level: FloatArray) -> FloatArray:
    """Return upper bounds of ``slope @ x + level`` over boxes, (p,)."""
    terms = 2 * slope.shape[1] + 4
    best = np.where(slope > 0.0, slope * upper, slope * lower).sum(axis=1)
    size = raised((np.abs(slope) * reach(lower, upper)).sum(axis=1), terms)
    value: FloatArray = best + level
    largest: FloatArray = value + (relative(terms) * size + 4.0 * UNIT * (np.abs(value) + np.abs(level)) + terms * TINY)
    return largest


def _shrunk(
    lower: FloatArray, upper: FloatArray, slope: FloatArray, largest: FloatArray
) -> tuple[FloatArray, FloatArray]:
    room = np.where(largest >= 0.0, largest, np.inf)[:, None] / np.abs(slope)
    room = room + 8.0 * UNIT * (room + np.abs(lower) + np.abs(upper)) + TINY
    raised_lower = np.where((slope > 0.0) & (upper - room > lower), upper - room, lower)
    lowered = np.where((slope < 0.0) & (lower + room < upper), lower + room, upper)
    return raised_lower, lowered
