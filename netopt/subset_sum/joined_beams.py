r"""Two beams that meet in the middle.

The elements are dealt to two halves, every second one to each, so that both have vectors of all lengths. A beam through
each half ends with B residuals close to 0; of the B^2 pairs the one whose residuals cancel best is found by
`netopt.subset_sum.pairs.best_pair`. With :math:`\sigma` for the residuals of one beam through all elements, halves end
at about :math:`2 \sigma`, and the best pair at :math:`\sqrt 8 \sigma B^{-2/D}` where one beam reaches
:math:`\sigma B^{-1/D}`: a gain from :math:`B = 2^{1.5 D}` on, so for few dimensions only.

On the CPU long lists of few dimensions go through a k-d tree, which looks near the best pair so far alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netopt.arrays import FloatArray, array_namespace
from netopt.subset_sum.beam import beam_search
from netopt.subset_sum.pairs import best_pair
from netopt.subset_sum.sums import sums_of

_TREE_ENTRIES = 12  # in more dimensions a tree visits nearly every leaf
_TREE_PAIRS = 1 << 26
_TREE_CHUNK = 1 << 12
_FIRST_LOOK = 1 << 8
_LONGEST_LIST = 1 << 16  # of best_pair on a GPU


def joined_beams(vectors: Any, targets: Any, shares: Any, order: Any, width: int) -> Any:
    """Return the best subset of each problem that two beams find, (p, n) bool.

    Parameters
    ----------
    vectors : (p, n, D) float64.
    targets : (p, D).
    shares, order : (p, n) as for `netopt.subset_sum.beam.beam_search`.
    width : states B kept of each beam.
    """
    xp = array_namespace(vectors, targets, shares, order)
    missing = sums_of(vectors, shares) - targets  # the residuals of both halves are to add up to this
    halves = [order[:, ::2], order[:, 1::2]]
    beams = [_half(xp, vectors, shares, half, width) for half in halves]
    states = _closest(xp, beams[0].residual, beams[1].residual, missing)
    selected = xp.zeros(order.shape, dtype=bool)
    rows = xp.arange(order.shape[0])[:, None]
    for beam, half, state in zip(beams, halves, states, strict=True):
        selected[rows, half] = beam.selected(state[:, None])[:, 0]
    return selected


def _half(xp: Any, vectors: Any, shares: Any, half: Any, width: int) -> Any:
    own = xp.take_along_axis(vectors, half[..., None], axis=1)
    in_order = xp.broadcast_to(xp.arange(half.shape[1]), half.shape)
    return beam_search(own, xp.take_along_axis(shares, half, axis=1), in_order, width)


def _closest(xp: Any, left: Any, right: Any, target: Any) -> tuple[Any, Any]:
    if xp is np and left.shape[1] * right.shape[1] >= _TREE_PAIRS and left.shape[2] <= _TREE_ENTRIES:
        found = [_closest_by_tree(*problem) for problem in zip(left, right, target, strict=True)]
        pairs = np.array(found, dtype=np.int64)
        return pairs[:, 0], pairs[:, 1]
    if xp is not np:  # its kernel takes float32; the numbers near 0 that count here are exact enough in it
        left, right = left[:, :_LONGEST_LIST], right[:, :_LONGEST_LIST]
        left, right, target = (xp.ascontiguousarray(array, dtype=np.float32) for array in (left, right, target))
    _, i, j = best_pair(left, right, target)
    return i, j


def _closest_by_tree(left: FloatArray, right: FloatArray, target: FloatArray) -> tuple[int, int]:
    """Ask for neighbours closer than the best so far; the first few are asked without a limit."""
    from scipy.spatial import KDTree

    tree = KDTree(right)
    wanted = target - left
    distance, best, begin = np.inf, (0, 0), 0
    while begin < wanted.shape[0]:
        end = begin + (_TREE_CHUNK if begin else _FIRST_LOOK)
        near, j = (np.asarray(found) for found in tree.query(wanted[begin:end], distance_upper_bound=distance))
        least = int(np.argmin(near))
        if near[least] < distance:
            distance, best = float(near[least]), (begin + least, int(j[least]))
        begin = end
    return best
