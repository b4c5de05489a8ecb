r"""Tabu search by one or two flips on the Gram matrix.

The objective is :math:`s^T G s - 2 \langle b, s \rangle` with :math:`b_i = \langle v_i, z \rangle - c_i / 2`: the
squared error plus the price c of the elements, but for a constant. Every subset makes the best flip of one or two
elements (`netopt.subset_sum.two_flip`; swaps where the size is fixed) among the few dozen that are cheapest to flip
alone; what has flipped stays for some steps, so that the search leaves local optima. A step costs n for each subset and
the square of the shortlist. At the end the best subset met is improved over all pairs until none helps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netopt.arrays import array_namespace
from netopt.subset_sum.two_flip import best_two_flip

_SHORTLIST = 48
_TENURE = 8
_ROUNDING = 1e-13  # of the objective's terms: changes below it are no gains


def tabu_search(gram: Any, pull: Any, selected: Any, *, fixed_size: bool, flips: int) -> Any:
    """Return the best subset that each one meets, (p, r, n) bool.

    Parameters
    ----------
    gram : (p, n, n) float64.
    pull : (p, n) the vector b.
    selected : (p, r, n) bool, subsets to start from.
    fixed_size : swaps only.
    flips : steps.
    """
    state = _State(gram, pull, selected)
    xp = state.xp
    value = xp.zeros(selected.shape[:2])
    least, best = value, selected
    free_at = xp.zeros(selected.shape, dtype=np.int32)
    for step in range(flips):
        delta = xp.where(free_at > step, np.inf, state.delta())
        change, first, second = _best_of_shortlist(state, delta, fixed_size)
        going = xp.isfinite(change)
        state.flip(first, second, going)
        free_at[(*state.rows, first)] = step + _TENURE
        free_at[(*state.rows, second)] = step + _TENURE
        value = value + xp.where(going, change, 0.0)
        better = value < least - state.rounding
        least = xp.where(better, value, least)
        best = xp.where(better[..., None], state.selected(), best)
    return best


def descend(gram: Any, pull: Any, selected: Any, *, fixed_size: bool) -> Any:
    """Return subsets that no flip of one or two elements improves, (p, r, n) bool; arguments as above."""
    state = _State(gram, pull, selected)
    if state.xp is not np:
        from netopt.subset_sum import descent_cuda

        return descent_cuda.descend(gram, pull, selected, state.rounding[:, 0], fixed_size=fixed_size)
    while True:
        proposed = best_two_flip(gram, state.delta(), state.sign, fixed_size)
        change, first, second = _settled(state, proposed)
        going = change < -state.rounding
        if not bool(going.any()):
            return state.selected()
        state.flip(first, second, going)


def of_size(gram: Any, pull: Any, selected: Any, size: int) -> Any:
    """Return subsets of `size` elements each: the cheapest ones come in or go out; arguments as above."""
    state = _State(gram, pull, selected)
    xp = state.xp
    while True:
        excess = state.selected().sum(axis=-1) - size
        going = excess != 0
        if not bool(going.any()):
            return state.selected()
        helps = state.sign * xp.sign(excess)[..., None] < 0.0
        element = xp.argmin(xp.where(helps, state.delta(), np.inf), axis=-1)
        state.flip(element, element, going)


class _State:
    """Subsets and what each element correlates with: c = b - G s."""

    def __init__(self, gram: Any, pull: Any, selected: Any) -> None:
        self.xp = xp = array_namespace(gram, pull, selected)
        self.gram = gram
        self.sign = 1.0 - 2.0 * selected
        self.diagonal = xp.einsum("pnn->pn", gram)[:, None]
        self.correlation = pull[:, None] - selected.astype(np.float64) @ gram
        self.rows = (xp.arange(selected.shape[0])[:, None], xp.arange(selected.shape[1])[None])
        scale = xp.abs(pull).max(axis=-1) + self.diagonal[:, 0].max(axis=-1)
        self.rounding = _ROUNDING * scale[:, None]

    def delta(self) -> Any:
        """Return the change of the objective when one element flips, (p, r, n)."""
        return self.diagonal - 2.0 * self.sign * self.correlation

    def selected(self) -> Any:
        return self.sign < 0.0

    def flip(self, first: Any, second: Any, going: Any) -> None:
        """Flip one or two elements of the subsets that go on."""
        for element, flips in ((first, going), (second, going & (first != second))):
            sign = self.sign[(*self.rows, element)]
            moved = self.xp.where(flips, sign, 0.0)
            self.correlation -= moved[..., None] * self.gram[self.rows[0], element]
            self.sign[(*self.rows, element)] = sign - 2.0 * moved


def _best_of_shortlist(state: _State, delta: Any, fixed_size: bool) -> tuple[Any, Any, Any]:
    """Return the best change among the elements that are cheapest to flip, and who flips; +inf where none may."""
    xp = state.xp
    problems, subsets, count = delta.shape
    length = min(_SHORTLIST, count)
    if length == count:
        listed = xp.broadcast_to(xp.arange(count), delta.shape)
    elif fixed_size:  # half of those that come in, half of those that go out
        listed = xp.concatenate(
            [
                xp.argpartition(xp.where(side, delta, np.inf), length // 2 - 1, axis=-1)[..., : length // 2]
                for side in (state.sign > 0.0, state.sign < 0.0)
            ],
            axis=-1,
        )
    else:
        listed = xp.argpartition(delta, length - 1, axis=-1)[..., :length]
    listed = xp.sort(listed, axis=-1)
    flat = listed.reshape(problems * subsets, length)
    problem = xp.repeat(xp.arange(problems), subsets)
    gram = state.gram[problem[:, None, None], flat[:, :, None], flat[:, None, :]]
    delta, sign = (xp.take_along_axis(values, listed, axis=-1).reshape(-1, 1, length) for values in (delta, state.sign))
    proposed = _sweep(xp, gram, delta, sign, fixed_size)
    first, second = (xp.take_along_axis(flat, element, axis=-1).reshape(problems, subsets) for element in proposed[1:])
    return _settled(state, (proposed[0].reshape(problems, subsets), first, second))


def _sweep(xp: Any, gram: Any, delta: Any, sign: Any, fixed_size: bool) -> tuple[Any, Any, Any]:
    if xp is not np:  # its kernel takes float32; what it proposes is settled in float64
        gram, delta, sign = (xp.ascontiguousarray(array, dtype=np.float32) for array in (gram, delta, sign))
    return best_two_flip(gram, delta, sign, fixed_size)


def _settled(state: _State, proposed: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """Return proposed flips with their changes in float64; +inf stays."""
    change, first, second = proposed
    xp, rows = state.xp, state.rows
    delta = state.delta()
    one, other = delta[(*rows, first)], delta[(*rows, second)]
    product = state.sign[(*rows, first)] * state.sign[(*rows, second)] * state.gram[rows[0], first, second]
    exact = xp.where(first == second, one, one + other + 2.0 * product)
    return xp.where(xp.isfinite(change), exact, np.inf), first, second
