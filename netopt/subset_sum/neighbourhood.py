r"""Large neighbourhoods searched exactly: some twenty elements are freed, and the best of their subsets is taken.

With :math:`m_i = \pm v_i` for what flipping a free element adds to the sum, the best of the :math:`2^q` flips meets in
the middle: two lists of :math:`2^{q/2}` sums, of which `netopt.subset_sum.pairs.best_pair` finds the pair closest to
the residual. Free are elements that are cheap to flip alone, other ones in every round.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netopt.arrays import array_namespace
from netopt.subset_sum.limits import all_subsets
from netopt.subset_sum.pairs import best_pair
from netopt.subset_sum.sums import sums_of


def free_and_choose(vectors: Any, targets: Any, selected: Any, *, free: int, rounds: int) -> Any:
    """Return subsets that are no worse, (p, n) bool.

    Parameters
    ----------
    vectors : (p, n, D) float64.
    targets : (p, D).
    selected : (p, n) bool.
    free : elements freed at a time, at most n; an odd one is left out.
    rounds : neighbourhoods searched.
    """
    xp = array_namespace(vectors, targets, selected)
    half = min(free, vectors.shape[1]) // 2
    if not half:
        return selected
    choices = xp.asarray(all_subsets(half))
    rows = xp.arange(vectors.shape[0])[:, None]
    for turn in range(rounds):
        listed = _free_elements(xp, vectors, targets, selected, 2 * half, turn)
        steps = xp.take_along_axis(vectors, listed[..., None], axis=1)
        steps = steps * (1.0 - 2.0 * selected[rows, listed])[..., None]
        left, right = choices @ steps[:, ::2], choices @ steps[:, 1::2]
        residual = _residual(vectors, targets, selected)
        if xp is not np:
            left, right, residual = (xp.ascontiguousarray(array, dtype=np.float32) for array in (left, right, residual))
        _, i, j = best_pair(left, right, residual)
        flips = xp.zeros(selected.shape, dtype=bool)
        flips[rows, listed[:, ::2]] = choices[i]
        flips[rows, listed[:, 1::2]] = choices[j]
        selected = _better(xp, vectors, targets, selected, selected ^ flips)
    return selected


def squared_error(vectors: Any, targets: Any, selected: Any) -> Any:
    """Return |z - V^T s|^2 of each problem, (p,)."""
    residual = _residual(vectors, targets, selected)
    return (residual * residual).sum(axis=-1)


def _free_elements(xp: Any, vectors: Any, targets: Any, selected: Any, count: int, turn: int) -> Any:
    """Return the cheapest half of the elements, and another stretch of the ranking every turn, (p, count)."""
    residual = _residual(vectors, targets, selected)
    along = (vectors @ residual[..., None])[..., 0]
    delta = (vectors * vectors).sum(axis=-1) - 2.0 * (1.0 - 2.0 * selected) * along
    ranked = xp.argsort(delta, axis=-1)
    kept = count // 2
    begin = min(kept + turn * (count - kept), ranked.shape[1] - (count - kept))
    return xp.concatenate([ranked[:, :kept], ranked[:, begin : begin + count - kept]], axis=-1)


def _better(xp: Any, vectors: Any, targets: Any, old: Any, new: Any) -> Any:
    improved = squared_error(vectors, targets, new) < squared_error(vectors, targets, old)
    return xp.where(improved[:, None], new, old)


def _residual(vectors: Any, targets: Any, selected: Any) -> Any:
    return targets - sums_of(vectors, selected)
