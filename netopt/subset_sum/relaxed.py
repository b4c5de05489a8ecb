r"""The box relaxation: shares :math:`x \in [0, 1]^n` whose weighted sum comes closest to a target.

.. math:: \min_{x \in [0, 1]^n} |V^T x - z|^2 + \langle c, x \rangle \qquad (\text{with } \mathbf 1^T x = k
    \text{ for subsets of a fixed size})

Projected gradients find it, first in the metric :math:`(V^T V)^{-1}`, where a unit step is safe and a few dozen steps
reach a target that can be reached, then, for problems where it cannot or elements have a price, in the Euclidean one
with Nesterov's momentum (Beck, Teboulle, SIAM J. Imaging Sciences 2, 2009). Shares stay as far inside the box as the
least change from equal shares lets them: that leaves every element to be decided by the search.
"""

from __future__ import annotations

from typing import Any

from netopt.arrays import array_namespace
from netopt.subset_sum.sums import sums_of

_WHITENED_STEPS = 60
_EUCLIDEAN_STEPS = 200
_BISECTIONS = 40
_RIDGE = 1e-12  # of the trace
_REACHED = 1e-6  # of the target's scale: what is left is the search's to find


def relaxed_shares(vectors: Any, targets: Any, price: Any, size: int | None, start: Any) -> Any:
    """Return the shares, (p, n).

    Parameters
    ----------
    vectors : (p, n, D) float64.
    targets : (p, D).
    price : (p, n) cost of each element.
    size : the sum of the shares, or None for any.
    start : (p, n) shares to start from.
    """
    xp = array_namespace(vectors, targets, price, start)
    shares = _whitened(xp, vectors, targets, size, start)
    missing = targets - sums_of(vectors, shares)
    scale = xp.abs(targets).max(axis=-1) + xp.abs(vectors).max(axis=(-1, -2))
    if bool((xp.abs(missing).max(axis=-1) <= _REACHED * scale).all()) and not bool(price.any()):
        return shares
    return _euclidean(xp, vectors, targets, price, size, shares)


def into_box(shares: Any, size: int | None) -> Any:
    """Return the nearest shares in the box, of sum `size` where one is given: a shift of all, found by bisection."""
    xp = array_namespace(shares)
    if size is None:
        return xp.clip(shares, 0.0, 1.0)
    low = shares.min(axis=-1, keepdims=True) - 1.0
    high = shares.max(axis=-1, keepdims=True)
    for _ in range(_BISECTIONS):
        shift = 0.5 * (low + high)
        too_many = xp.clip(shares - shift, 0.0, 1.0).sum(axis=-1, keepdims=True) > size
        low, high = xp.where(too_many, shift, low), xp.where(too_many, high, shift)
    return xp.clip(shares - 0.5 * (low + high), 0.0, 1.0)


def _whitened(xp: Any, vectors: Any, targets: Any, size: int | None, start: Any) -> Any:
    """Step by V (V^T V)^-1 of what is missing; a slight ridge allows for vectors that do not span the space."""
    square = vectors.swapaxes(1, 2) @ vectors
    trace = xp.einsum("pdd->p", square)
    ridge = xp.where(trace > 0.0, _RIDGE * trace, 1.0)
    lift = vectors @ xp.linalg.inv(square + ridge[:, None, None] * xp.eye(square.shape[1]))
    shares = into_box(start, size)
    for _ in range(_WHITENED_STEPS):
        missing = targets - sums_of(vectors, shares)
        shares = into_box(shares + (lift @ missing[..., None])[..., 0], size)
    return shares


def _euclidean(xp: Any, vectors: Any, targets: Any, price: Any, size: int | None, start: Any) -> Any:
    """Descend with momentum on |V^T x - z|^2 / 2 + <c, x> / 2, in steps of one over its curvature."""
    square = vectors.swapaxes(1, 2) @ vectors
    curvature = xp.sqrt((square * square).sum(axis=(1, 2)))  # no less than the largest eigenvalue
    step = 1.0 / xp.maximum(curvature, 1e-300)[:, None]
    shares, ahead, momentum = start, start, 1.0
    for _ in range(_EUCLIDEAN_STEPS):
        missing = targets - sums_of(vectors, ahead)
        slope = 0.5 * price - (vectors @ missing[..., None])[..., 0]
        further = into_box(ahead - step * slope, size)
        grown = 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum) ** 0.5)
        ahead = further + (momentum - 1.0) / grown * (further - shares)
        shares, momentum = further, grown
    return shares
