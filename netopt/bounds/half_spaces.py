r"""Boxes cut by half-spaces: how far the box shrinks, and what a linear function is at most in what is left.

Over a box, :math:`a x + d \ge 0` with largest value :math:`v = \max_x a x + d` implies, for ``a_j > 0``,
:math:`x_j \ge u_j - v / a_j`, and :math:`x_j \le l_j - v / a_j` for ``a_j < 0``: all else is at its best already.

For every multiplier :math:`\mu \ge 0`, weak duality gives, with the box's middle m and radius r,

.. math:: \max \{ c x : a x + d \ge 0 \} \le (c + \mu a) m + |c + \mu a| r + \mu d .

The right-hand side is convex and piecewise linear in :math:`\mu` with kinks where ``c_j + mu a_j = 0``; sorting them
finds its minimum. Several half-spaces are used one after another (Zhou et al., *Clip-and-Verify: linear
constraint-driven domain clipping*, NeurIPS 2025). Multipliers need not be exact: the bound is evaluated, with its
rounding, from whatever they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.bounds.rounding import TINY, UNIT_ROUNDOFF, gamma, middle_and_radius, sound_upper

#: Times that every half-space is used: a shrunken box lets the others cut more.
_SWEEPS = 2


@dataclass(frozen=True, slots=True, eq=False)
class HalfSpaces:
    """``slope @ x + level >= 0``, h for each of B boxes; a level of +inf for one that says nothing.

    Attributes
    ----------
    slope : (B, h, n).
    level : (B, h).
    """

    slope: FloatArray
    level: FloatArray

    def beside(self, other: HalfSpaces) -> HalfSpaces:
        """Return these half-spaces and others of the same boxes."""
        slope = np.concatenate([self.slope, other.slope], axis=1)
        return HalfSpaces(slope, np.concatenate([self.level, other.level], axis=1))


def clip(lower: FloatArray, upper: FloatArray, cuts: HalfSpaces) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return boxes (B, n) that hold what the half-spaces leave of each, and where they leave nothing, (B,)."""
    empty = np.zeros(len(lower), dtype=bool)
    for k in list(range(cuts.level.shape[1])) * _SWEEPS:
        lower, upper, nothing = _clip_once(lower, upper, cuts.slope[:, k], cuts.level[:, k])
        empty |= nothing
    return lower, upper, empty


def _clip_once(
    lower: FloatArray, upper: FloatArray, slope: FloatArray, level: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        rising, falling = slope > 0.0, slope < 0.0
        best = np.where(rising, slope * upper, slope * lower)
        size = np.abs(level) + np.abs(best).sum(axis=1)
        terms = slope.shape[1] + 4
        largest = level + best.sum(axis=1) + 4.0 * gamma(terms) * size + terms * TINY
        reach = largest[:, None] / np.abs(slope)
        reach += 4.0 * UNIT_ROUNDOFF * (reach + np.abs(lower) + np.abs(upper)) + TINY
        from_above, from_below = upper - reach, lower + reach
        nothing = largest < 0.0
        usable = ~nothing[:, None]
        raised = np.where(usable & rising & (from_above > lower), from_above, lower)
        lowered = np.where(usable & falling & (from_below < upper), from_below, upper)
    return np.minimum(raised, upper), np.maximum(lowered, lower), nothing


def largest_within(
    lower: FloatArray, upper: FloatArray, slope: FloatArray, constant: FloatArray, cuts: HalfSpaces
) -> tuple[FloatArray, FloatArray]:
    """Return sound upper bounds (B,) of ``slope @ x + constant`` over what half-spaces leave of boxes.

    Parameters
    ----------
    lower, upper, slope : (B, n).
    constant : (B,).

    Returns
    -------
    The bounds, and the multipliers (B, h) of the half-spaces they rest on.
    """
    multipliers = np.zeros(cuts.level.shape)
    middle, radius = middle_and_radius(lower, upper)
    size, total = np.abs(slope), np.abs(constant)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for k in range(cuts.level.shape[1]):
            cut, level = cuts.slope[:, k], cuts.level[:, k]
            multiplier = best_multiplier(slope, cut, level + np.einsum("bn,bn->b", cut, middle), radius)
            multipliers[:, k] = multiplier
            moved = multiplier[:, None] * cut
            raised = np.where(multiplier > 0.0, multiplier * level, 0.0)
            slope, size = slope + moved, size + np.abs(moved)
            constant, total = constant + raised, total + np.abs(raised)
        bound = constant + np.einsum("bn,bn->b", slope, middle) + np.einsum("bn,bn->b", np.abs(slope), radius)
        reach = np.maximum(np.abs(lower), np.abs(upper))
        terms = slope.shape[1] + 2 * cuts.level.shape[1] + 8
        bound += 8.0 * gamma(terms) * (total + np.einsum("bn,bn->b", size, reach)) + terms * TINY
    return sound_upper(bound), multipliers


def best_multiplier(slope: FloatArray, cut: FloatArray, level: FloatArray, radius: FloatArray) -> FloatArray:
    """Return the multipliers (B,) that minimise ``mu level + |slope + mu cut| radius`` over ``mu >= 0``.

    Parameters
    ----------
    slope, cut, radius : (B, n).
    level : (B,) of the half-spaces at the boxes' middles.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        weight = np.abs(cut) * radius
        # Each kink ahead raises the derivative by twice its weight.
        kink = np.where(weight > 0.0, -slope / cut, 0.0)
        ahead = kink > 0.0
        order = np.where(ahead, kink, np.inf).argsort(axis=1)
        derivative = level + np.where(ahead, -weight, weight).sum(axis=1)
        passed = derivative[:, None] + 2.0 * np.cumsum(np.take_along_axis(weight * ahead, order, axis=1), axis=1)
        row = np.arange(len(slope))
        stop = kink[row, order[row, (passed >= 0.0).argmax(axis=1)]]
        useful = (derivative < 0.0) & (passed[:, -1] >= 0.0) & (stop > 0.0) & np.isfinite(stop)
    return np.where(useful, stop, 0.0)
