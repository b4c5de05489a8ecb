r"""Beam search: elements are decided from the longest to the shortest, and the most promising subsets are kept.

Let x be the shares of the relaxation (`netopt.subset_sum.relaxed`), :math:`\sum_i x_i v_i = z`. Deciding element i
moves the residual from r to :math:`r - (1 - x_i) v_i` or :math:`r + x_i v_i`. What the elements left can still make up
for is, to second moments, a normal distribution of covariance

.. math:: C = \sum_{i \text{ left}} x_i (1 - x_i) v_i v_i^T + \epsilon^2 I ,

so the states kept are those of least :math:`r^T C^{-1} r`; :math:`\epsilon` is a third of what the D shortest vectors
leave. The covariance is factored anew at a few dozen places; between them residuals live in the coordinates
:math:`L^{-1} r`, :math:`C = L L^T`. The beam is narrow until the 8 D shortest elements, so that it costs
:math:`8 D^2 B` operations. It ends in residuals of about 0.3 times
the length of the vectors of rank D among the shortest, and finds the best of B of them: that improves as
:math:`B^{-1/D}`, quickly for small D and hardly at all for D > 30.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netopt.arrays import array_namespace

_BLOCKS = 12  # the covariance is factored anew when so small a part of the elements left has been decided
_WIDE = 8  # times D: so many elements, the shortest, are decided at full width; what came before hardly matters
_NARROW = 256


@dataclass(frozen=True, slots=True, eq=False)
class Beam:
    """What a beam search ended with.

    Attributes
    ----------
    residual : (p, B, D) sum of the shares less the sum of the subset.
    parents, taken : for each element, as sorted, the state (p, B) it came from and whether it was taken, (p, B).
    order : (p, n) the elements as sorted.
    """

    residual: Any
    parents: list[Any]
    taken: list[Any]
    order: Any

    def selected(self, states: Any) -> Any:
        """Return the subsets of some states: (p, m) numbers -> (p, m, n) bool."""
        xp = array_namespace(states)
        in_order = [None] * len(self.taken)
        for k in range(len(self.taken) - 1, -1, -1):
            in_order[k] = xp.take_along_axis(self.taken[k], states, axis=-1)
            states = xp.take_along_axis(self.parents[k], states, axis=-1)
        stacked = xp.stack(in_order, axis=-1)
        place = xp.argsort(self.order, axis=-1)
        return xp.take_along_axis(stacked, xp.broadcast_to(place[:, None], stacked.shape), axis=-1)


def beam_search(vectors: Any, shares: Any, order: Any, width: int) -> Beam:
    """Return the states that are left when every element has been decided.

    Parameters
    ----------
    vectors : (p, n, D) float64.
    shares : (p, n) of the relaxation.
    order : (p, n) elements in the order they are decided in, longest first.
    width : states B kept.
    """
    xp = array_namespace(vectors, shares, order)
    problems, count, entries = vectors.shape
    vectors = xp.take_along_axis(vectors, order[..., None], axis=1)
    shares = xp.take_along_axis(shares, order, axis=1)
    floor = _floor(xp, vectors, shares)
    residual = xp.zeros((problems, 1, entries))
    parents: list[Any] = []
    taken: list[Any] = []
    begin = 0
    while begin < count:
        end = min(count, begin + max(1, (count - begin) // _BLOCKS))
        lower = _factor(xp, vectors[:, begin + 1 :], shares[:, begin + 1 :], floor)
        whiten = xp.linalg.inv(lower).swapaxes(1, 2)
        state = residual @ whiten
        steps = vectors[:, begin:end] @ whiten
        for k in range(end - begin):
            states = width if count - begin - k <= _WIDE * entries else min(width, _NARROW)
            state, parent, take = _decide(xp, state, steps[:, k], shares[:, begin + k], states)
            parents.append(parent)
            taken.append(take)
        residual = state @ lower.swapaxes(1, 2)
        begin = end
    return Beam(residual, parents, taken, order)


def _decide(xp: Any, state: Any, step: Any, share: Any, width: int) -> tuple[Any, Any, Any]:
    """Return the states after one element: their residuals, whom they come from, and whether they take it."""
    problems, states, entries = state.shape
    square = (state * state).sum(axis=-1)
    along = (state @ step[..., None])[..., 0]
    length = (step * step).sum(axis=-1)[:, None]
    out, share = 1.0 - share[:, None], share[:, None]
    score = xp.concatenate(
        [square - 2.0 * out * along + out * out * length, square + 2.0 * share * along + share * share * length], axis=1
    )
    if 2 * states > width:
        chosen = xp.argpartition(score, width - 1, axis=-1)[:, :width]
    else:
        chosen = xp.broadcast_to(xp.arange(2 * states), (problems, 2 * states))
    take = chosen < states
    parent = chosen - states * ~take
    rows = (parent + states * xp.arange(problems)[:, None]).reshape(-1)
    moved = state.reshape(-1, entries)[rows].reshape(problems, -1, entries)
    moved += (take * -1.0 + share)[..., None] * step[:, None]
    return moved, parent.astype(xp.int32), take


def _floor(xp: Any, vectors: Any, shares: Any) -> Any:
    """Return eps^2: a tenth of the mean variance of an entry that the D shortest vectors bring."""
    entries = vectors.shape[2]
    shortest = vectors[:, -entries:]
    variance = xp.maximum(shares * (1.0 - shares), 0.02)[:, -entries:, None]
    floor = (variance * shortest * shortest).sum(axis=1).mean(axis=-1)
    largest = (vectors * vectors).max(axis=(1, 2))
    floor = xp.maximum(0.1 * floor, 1e-12 * largest)
    return xp.where(floor > 0.0, floor, 1.0)


def _factor(xp: Any, vectors: Any, shares: Any, floor: Any) -> Any:
    """Return the lower factor L of the covariance, (p, D, D)."""
    spread = vectors * (shares * (1.0 - shares))[..., None]
    covariance = vectors.swapaxes(1, 2) @ spread
    return xp.linalg.cholesky(covariance + floor[:, None, None] * xp.eye(vectors.shape[2]))
