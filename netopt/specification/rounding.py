"""Points a float32 network can be given: float32 values inside a domain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import BoolArray, FloatArray
from netopt.specification.domain import Domain

#: How far towards the centre a point moves that rounding puts outside, as shares of the way, smallest first.
_SHRINKAGE = (1e-6, 1e-5, 1e-4)


def round_inward(domain: Domain, points: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Round points to float32 values that stay inside the domain.

    An input whose range holds no float32 value (a fixed input, or one narrower than the float32 grid) takes the
    float32 value nearest to its range, as every float32 runtime does with it; all others stay within their bounds.
    Points that rounding to the nearest would move out of a domain that is no box are rounded towards its centre, and
    where that does not do (the centre is no float32 point itself) they are first moved towards it a little.

    Parameters
    ----------
    points : (k, n) float64.

    Returns
    -------
    rounded : (k, n) float64 arrays of float32 values.
    kept : (k,) which of them are members; the others must not be used.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.specification.box import Box
    >>> from netopt.specification.rounding import round_inward
    >>> box = Box(np.array([0.1]), np.array([1.0]))
    >>> rounded, kept = round_inward(box, np.array([[0.1]]))
    >>> bool(rounded[0, 0] >= 0.1), kept.tolist()
    (True, [True])
    """
    lower, upper = domain.lower, domain.upper
    first, last = _float32_above(lower), -_float32_above(-upper)
    gridless = first > last
    middle = _nearest((lower + upper) / 2.0)
    first, last = np.where(gridless, middle, first), np.where(gridless, middle, last)

    rounded = np.clip(_nearest(points), first, last)
    kept = _members(domain, rounded, gridless)
    if not kept.all():
        center = domain.center
        down = -_float32_above(-points)
        towards = np.clip(np.where(points > center, down, _float32_above(points)), first, last)
        rounded = np.where(kept[:, None], rounded, towards)
        kept = _members(domain, rounded, gridless)
        for share in _SHRINKAGE:
            if kept.all():
                break
            shrunk = np.clip(_nearest(points + share * (center - points)), first, last)
            rounded = np.where(kept[:, None], rounded, shrunk)
            kept = _members(domain, rounded, gridless)
    return rounded, kept


def _members(domain: Domain, rounded: FloatArray, gridless: BoolArray) -> BoolArray:
    """Return which points are members, inputs without a float32 value being judged at their own range."""
    judged = np.where(gridless, np.clip(rounded, domain.lower, domain.upper), rounded)
    return np.asarray(domain.contains(judged) & np.isfinite(rounded).all(axis=1))


def _nearest(values: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and refused as no member
        return values.astype(np.float32).astype(np.float64)


def _float32_above(values: FloatArray) -> FloatArray:
    """Return the smallest float32 value that is at least each value."""
    with np.errstate(over="ignore"):
        nearest: NDArray[np.float32] = values.astype(np.float32)
        above = np.nextafter(nearest, np.float32(np.inf))
    return np.where(nearest.astype(np.float64) < values, above, nearest).astype(np.float64)
