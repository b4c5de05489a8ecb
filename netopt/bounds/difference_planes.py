r"""Planes above and below ``relu(a) - relu(b)`` for paired neurons whose difference ``d = a - b`` is bounded as well.

The pair lives in the hexagon

.. math:: P = \{(a, b) : l_a \le a \le u_a,\; l_b \le b \le u_b,\; l_d \le a - b \le u_d\} .

The lines a = 0 and b = 0 cut P into cells on which :math:`\Delta = \max(0, a) - \max(0, b)` is linear. So for *any*
slopes (p, q) the plane ``p a + q b + c`` lies above it on all of P once it does at the corners of the cells: the
corners of P, the points where the two lines meet its boundary, and the origin where P holds it,

.. math:: c = \max_{v \in \text{corners}} \Delta(v) - p\,a_v - q\,b_v .

The slopes therefore need no care: those of the concave envelope of Delta at the middle of P are used (the
smallest plane there), cut to ``0 <= p <= 1`` and ``-1 <= q <= 0`` which every piece of Delta obeys, or a simpler pair
where that is better. The plane below is minus the plane above ``relu(b) - relu(a)``.

Rounding: a corner is off by a few units roundoff of the bounds' size, on which Delta, p a and q b have slopes of at
most 1; c is raised by that.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, Entries, FloatArray
from netopt.bounds.rounding import TINY, UNIT_ROUNDOFF, sound_lower, sound_upper

#: Pairs whose planes are sought at a time: the temporaries stay in the cache.
_CHUNK = 256
#: Triangles of corners flatter than this, relative to P, tell no slopes.
_FLAT = 1e-9
#: All triangles of the eleven points of `Hexagons.corners`.
_TRIANGLES = np.array(list(itertools.combinations(range(11), 3))).T


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """``relu(a) - relu(b) <= slope_a a + slope_b b + intercept`` (or >=); every array is (size,).

    `gap` is how far the plane is from it at most.
    """

    slope_a: FloatArray
    slope_b: FloatArray
    intercept: FloatArray
    gap: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Hexagons(Entries):
    """Bounds of a, b and ``a - b`` for the pairs of a layer, each (size,), as tight as they make one another."""

    lower_a: FloatArray
    upper_a: FloatArray
    lower_b: FloatArray
    upper_b: FloatArray
    lower_d: FloatArray
    upper_d: FloatArray

    @classmethod
    def of(
        cls,
        a: tuple[FloatArray, FloatArray],
        b: tuple[FloatArray, FloatArray],
        d: tuple[FloatArray, FloatArray],
    ) -> Hexagons:
        """Return the hexagons of (lower, upper) bounds; each of the three is tightened by the two others."""
        with np.errstate(over="ignore", invalid="ignore"):
            lower_a, upper_a = _meet(a, _down(b[0] + d[0]), _up(b[1] + d[1]))
            lower_b, upper_b = _meet(b, _down(a[0] - d[1]), _up(a[1] - d[0]))
            lower_d, upper_d = _meet(d, _down(a[0] - b[1]), _up(a[1] - b[0]))
        return cls(lower_a, upper_a, lower_b, upper_b, lower_d, upper_d)

    @property
    def swapped(self) -> Hexagons:
        """The same with a and b exchanged."""
        return Hexagons(self.lower_b, self.upper_b, self.lower_a, self.upper_a, -self.upper_d, -self.lower_d)

    @property
    def curved(self) -> BoolArray:
        """Where relu(a) - relu(b) is not linear: one of the two neurons is unstable."""
        unstable_a = (self.lower_a < 0.0) & (self.upper_a > 0.0)
        return np.asarray(unstable_a | ((self.lower_b < 0.0) & (self.upper_b > 0.0)))

    @property
    def size(self) -> FloatArray:
        """Largest absolute values of a and b added up, (size,)."""
        reach_a = np.maximum(np.abs(self.lower_a), np.abs(self.upper_a))
        return np.asarray(reach_a + np.maximum(np.abs(self.lower_b), np.abs(self.upper_b)))

    def corners(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (a, b) of all cells, each (11, size); some coincide, and all lie in P up to rounding.

        First the six of P: (l_a, l_b) and (u_a, u_b) are among them, as the bounds are as tight as they make one
        another. Then where the lines a = 0 and b = 0 (moved into P) leave it, and the origin or another corner.
        """
        zero = np.zeros_like(self.lower_a)
        zero_a, zero_b = _clip(zero, self.lower_a, self.upper_a), _clip(zero, self.lower_b, self.upper_b)
        origin = (self.lower_a <= 0.0) & (self.upper_a >= 0.0) & (self.lower_b <= 0.0) & (self.upper_b >= 0.0)
        origin &= (self.lower_d <= 0.0) & (self.upper_d >= 0.0)
        corners = [
            (self.lower_a, self.lower_b),
            (self.upper_a, self.upper_b),
            *((a, b) for a in (self.lower_a, self.upper_a, zero_a) for b in self._range_of_b(a)),
            *((a, b) for b in (self.lower_b, self.upper_b, zero_b) for a in self._range_of_a(b)),
        ]
        # The edges from (l_a, l_b) and (u_a, u_b) end in corners that are listed already.
        kept = [corners[k] for k in (0, 1, 3, 4, 9, 10, 6, 7, 12, 13)]
        kept.append((np.where(origin, 0.0, self.lower_a), np.where(origin, 0.0, self.lower_b)))
        return np.array([a for a, _ in kept]), np.array([b for _, b in kept])

    def _range_of_a(self, b: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.maximum(self.lower_a, b + self.lower_d), np.minimum(self.upper_a, b + self.upper_d)

    def _range_of_b(self, a: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.maximum(self.lower_b, a - self.upper_d), np.minimum(self.upper_b, a - self.lower_d)

    def difference_range(self) -> tuple[FloatArray, FloatArray]:
        """Return sound bounds of relu(a) - relu(b), each (size,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            height = _delta(*self.corners())
            error = 64.0 * UNIT_ROUNDOFF * self.size
            return sound_lower(height.min(axis=0) - error), sound_upper(height.max(axis=0) + error)


def planes_above(pairs: Hexagons) -> Planes:
    """Return planes above relu(a) - relu(b) for every pair; exact where it is linear."""
    slope_a, slope_b = (pairs.lower_a >= 0.0).astype(np.float64), -(pairs.lower_b >= 0.0).astype(np.float64)
    intercept, gap = np.zeros(pairs.lower_a.size), np.zeros(pairs.lower_a.size)
    curved = np.flatnonzero(pairs.curved)
    for first in range(0, curved.size, _CHUNK):
        chosen = curved[first : first + _CHUNK]
        found = _planes(pairs.take(chosen))
        slope_a[chosen], slope_b[chosen] = found.slope_a, found.slope_b
        intercept[chosen], gap[chosen] = found.intercept, found.gap
    return Planes(slope_a, slope_b, intercept, gap)


def planes_below(pairs: Hexagons) -> Planes:
    """Return planes below relu(a) - relu(b) for every pair; exact where it is linear."""
    above = planes_above(pairs.swapped)
    return Planes(-above.slope_b, -above.slope_a, -above.intercept, above.gap)


def _planes(pairs: Hexagons) -> Planes:
    """Return the best of a few planes above, judged in the middle of P."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        a, b = pairs.corners()
        height = _delta(a, b)
        middle = a[:6].mean(axis=0), b[:6].mean(axis=0)
        chord_a = _chord(pairs.lower_a, pairs.upper_a)
        chord_d = _chord(pairs.lower_d, pairs.upper_d)
        below_b = -(pairs.upper_b > -pairs.lower_b).astype(np.float64)
        slopes = [_envelope_slopes(a, b, height, middle), (chord_d, -chord_d), (chord_a, below_b)]
        slope_a = np.array([np.clip(np.nan_to_num(p), 0.0, 1.0) for p, _ in slopes])
        slope_b = np.array([np.clip(np.nan_to_num(q), -1.0, 0.0) for _, q in slopes])
        excess = height - slope_a[:, None] * a - slope_b[:, None] * b
        intercept = excess.max(axis=1)
        score = intercept + slope_a * middle[0] + slope_b * middle[1]
        chosen = (np.nan_to_num(score, nan=np.inf).argmin(axis=0), np.arange(a.shape[1]))
        gap = (intercept - excess.min(axis=1))[chosen]
        raised = intercept[chosen] + 64.0 * UNIT_ROUNDOFF * pairs.size + 8.0 * TINY
        return Planes(slope_a[chosen], slope_b[chosen], sound_upper(raised), sound_upper(gap))


def _envelope_slopes(
    a: FloatArray, b: FloatArray, height: FloatArray, middle: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return the slopes of the concave envelope at the middle: of the highest triangle of corners around it."""
    i, j, k = _TRIANGLES
    area = (a[j] - a[i]) * (b[k] - b[i]) - (a[k] - a[i]) * (b[j] - b[i])
    weight_j = ((middle[0] - a[i]) * (b[k] - b[i]) - (a[k] - a[i]) * (middle[1] - b[i])) / area
    weight_k = ((a[j] - a[i]) * (middle[1] - b[i]) - (middle[0] - a[i]) * (b[j] - b[i])) / area
    weight_i = 1.0 - weight_j - weight_k
    around = (np.minimum(np.minimum(weight_i, weight_j), weight_k) >= -_FLAT) & (
        np.abs(area) > _FLAT * np.ptp(a, axis=0) * np.ptp(b, axis=0)
    )
    value = np.where(around, weight_i * height[i] + weight_j * height[j] + weight_k * height[k], -np.inf)
    best = (value.argmax(axis=0), np.arange(value.shape[1]))
    rise_j, rise_k = (height[j] - height[i])[best], (height[k] - height[i])[best]
    slope_a = (rise_j * (b[k] - b[i])[best] - rise_k * (b[j] - b[i])[best]) / area[best]
    slope_b = (rise_k * (a[j] - a[i])[best] - rise_j * (a[k] - a[i])[best]) / area[best]
    return slope_a, slope_b


def _delta(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.maximum(a, 0.0) - np.maximum(b, 0.0)


def _chord(lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Return the slope of the chord of relu on ``[lower, upper]``."""
    rise = np.maximum(upper, 0.0) - np.maximum(lower, 0.0)
    return np.where(upper > lower, rise / np.where(upper > lower, upper - lower, 1.0), (upper > 0.0).astype(np.float64))


def _meet(bounds: tuple[FloatArray, FloatArray], lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    # What is undefined (inf - inf) says nothing; fmax and fmin leave it out.
    return np.fmax(bounds[0], lower), np.fmin(bounds[1], upper)


def _down(value: FloatArray) -> FloatArray:
    return np.asarray(np.nextafter(value, -np.inf))


def _up(value: FloatArray) -> FloatArray:
    return np.asarray(np.nextafter(value, np.inf))


def _clip(value: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    return np.minimum(np.maximum(value, low), high)
