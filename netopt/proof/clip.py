r"""Boxes shrunk to where a disjunct can hold, by linear functions above its slacks.

Where a slack is at most ``a x + d``, the disjunct needs ``a x + d >= 0``. With ``v = max a x + d`` over the box that
implies ``x_j >= u_j - v / a_j`` for ``a_j > 0`` and ``x_j <= l_j - v / a_j`` for ``a_j < 0``. Several functions
together say more: for all multipliers :math:`\mu_r \ge 0` and directions c,

.. math:: c x \le \max_x \Big( c x + \sum_r \mu_r (a_r x + d_r) \Big).

The right side is convex and piecewise linear in each multiplier, with kinks where a coefficient of x vanishes; its
minimum is looked for at these, one multiplier after another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.proof.arithmetic import TINY, UNIT, middle_and_radius, raised, reach, relative

#: Times that linear functions shrink a box.
_SWEEPS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Cuts:
    """Functions ``slope @ x + level`` above the slacks of k disjuncts, which therefore need ``slope @ x + level >= 0``.

    Attributes
    ----------
    slope, level : (k, rows, n) and (k, rows); a level of +inf for one that says nothing.
    """

    slope: FloatArray
    level: FloatArray

    def take(self, which: IntArray) -> Cuts:
        """Return those of some disjuncts."""
        return Cuts(self.slope[which], self.level[which])

    def replace(self, which: IntArray, other: Cuts) -> None:
        """Put other functions in the place of those of some disjuncts, which have no fewer."""
        rows = other.level.shape[1]
        self.slope[which, :rows], self.level[which, :rows] = other.slope, other.level
        self.level[which, rows:] = np.inf


def clip(lower: FloatArray, upper: FloatArray, cuts: Cuts, together: bool) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return boxes (k, n) that hold what the cuts leave of boxes, and where they leave anything, (k,).

    Parameters
    ----------
    together : whether all functions of a disjunct are used jointly as well; that takes the square of n.
    """
    left = np.ones(len(lower), dtype=bool)
    rows = cuts.level.shape[1]
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        for k in list(range(rows)) * _SWEEPS:
            largest = _largest(lower, upper, cuts.slope[:, k], cuts.level[:, k])
            low, high = _alone(lower, upper, cuts.slope[:, k], largest)
            lower, upper, left = _still(left, ~(largest < 0.0), lower, upper, low, high)
        if together and rows > 1:
            low, high = _jointly(lower, upper, cuts)
            lower, upper, left = _still(left, left, lower, upper, low, high)
    return lower, upper, left


def _still(
    left: BoolArray, alive: BoolArray, lower: FloatArray, upper: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return new corners, or the old ones of boxes of which nothing is left, and which are left."""
    left = left & alive & (low <= high).all(axis=1)
    return np.where(left[:, None], low, lower), np.where(left[:, None], high, upper), left


def _largest(lower: FloatArray, upper: FloatArray, slope: FloatArray, level: FloatArray) -> FloatArray:
    """Return upper bounds of ``slope @ x + level`` over boxes, (p,)."""
    terms = 2 * slope.shape[1] + 4
    best = np.where(slope > 0.0, slope * upper, slope * lower).sum(axis=1)
    size = raised((np.abs(slope) * reach(lower, upper)).sum(axis=1), terms)
    value: FloatArray = best + level
    largest: FloatArray = value + (relative(terms) * size + 4.0 * UNIT * (np.abs(value) + np.abs(level)) + terms * TINY)
    return largest


def _alone(
    lower: FloatArray, upper: FloatArray, slope: FloatArray, largest: FloatArray
) -> tuple[FloatArray, FloatArray]:
    room = np.where(largest >= 0.0, largest, np.inf)[:, None] / np.abs(slope)
    room = room + 8.0 * UNIT * (room + np.abs(lower) + np.abs(upper)) + TINY
    raised_lower = np.where((slope > 0.0) & (upper - room > lower), upper - room, lower)
    lowered = np.where((slope < 0.0) & (lower + room < upper), lower + room, upper)
    return raised_lower, lowered


def _jointly(lower: FloatArray, upper: FloatArray, cuts: Cuts) -> tuple[FloatArray, FloatArray]:
    count, rows, n = cuts.slope.shape
    owner = np.repeat(np.arange(count), 2 * n)
    usable = np.isfinite(cuts.level) & np.isfinite(cuts.slope).all(axis=2)
    slope = np.where(usable[:, :, None], cuts.slope, 0.0).take(owner, axis=0)
    level = np.where(usable, cuts.level, 0.0).take(owner, axis=0)
    low, high = lower.take(owner, axis=0), upper.take(owner, axis=0)
    middle, radius = middle_and_radius(low, high)
    direction = np.tile(np.concatenate([np.eye(n), -np.eye(n)]), (count, 1))
    multiplier = np.zeros((owner.size, rows))
    at_middle = level + np.einsum("prn,pn->pr", slope, middle)
    total = direction.copy()
    for k in list(range(rows)) * _SWEEPS:
        total -= multiplier[:, k, None] * slope[:, k]
        multiplier[:, k] = _best(total, slope[:, k], at_middle[:, k], radius)
        total += multiplier[:, k, None] * slope[:, k]
    # Everything anew: what the multipliers prove does not depend on how they were found.
    total = direction + np.einsum("pr,prn->pn", multiplier, slope)
    added = multiplier * level
    size = np.abs(direction) + np.einsum("pr,prn->pn", multiplier, np.abs(slope))
    terms = 2 * (rows + n) + 8
    lost = raised((size * reach(low, high)).sum(axis=1) + np.abs(added).sum(axis=1), terms)
    value = (
        _largest(low, high, total, added.sum(axis=1))
        + relative(terms) * lost
        + terms * TINY * (1.0 + reach(low, high).sum(axis=1))
    )
    value = np.where(np.isnan(value), np.inf, value).reshape(count, 2 * n)
    value += 2.0 * UNIT * np.abs(value)
    return np.maximum(lower, -value[:, n:]), np.minimum(upper, value[:, :n])


def _best(slope: FloatArray, cut: FloatArray, level: FloatArray, radius: FloatArray) -> FloatArray:
    """Return multipliers (p,) with about the least ``mu level + |slope + mu cut| @ radius``, zero or at a kink."""
    kink = np.where(cut != 0.0, -slope / cut, 0.0)
    kink = np.where(np.isfinite(kink) & (kink > 0.0), kink, 0.0)
    tried = np.concatenate([np.zeros((len(kink), 1)), kink], axis=1)
    moved = np.abs(slope[:, None] + tried[:, :, None] * cut[:, None])
    value = tried * level[:, None] + np.einsum("pkn,pn->pk", moved, radius)
    chosen: FloatArray = tried[np.arange(len(tried)), np.where(np.isnan(value), np.inf, value).argmin(axis=1)]
    return chosen
