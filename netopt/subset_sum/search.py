r"""Subsets of vectors whose sum comes close to a target: many problems at once.

.. math:: \min_{s \in \{0,1\}^n} |z - \textstyle\sum_i s_i v_i|^2 + \langle c, s \rangle
    \qquad (\text{with } \mathbf 1^T s = k)

1. The box relaxation gives every element a share (`netopt.subset_sum.relaxed`).
2. A beam decides the elements from the longest to the shortest (`netopt.subset_sum.beam`); where vectors have few
   entries, two beams that meet in the middle (`netopt.subset_sum.joined_beams`).
3. The best states are improved by flips of one and two elements (`netopt.subset_sum.local_search`), the best of those
   by neighbourhoods searched exactly (`netopt.subset_sum.neighbourhood`).

A fixed size is one more entry, 1 in every vector and k in the target, for the steps that add up vectors; flips swap.
Problems of few elements are solved by trying all subsets. Nothing is drawn at random, and no result is worse than the
empty subset where that is allowed. float64 decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from netopt.arrays import array_namespace
from netopt.errors import InputError
from netopt.subset_sum.beam import beam_search
from netopt.subset_sum.joined_beams import joined_beams
from netopt.subset_sum.limits import exact_subsets
from netopt.subset_sum.local_search import descend, of_size, tabu_search
from netopt.subset_sum.neighbourhood import free_and_choose, squared_error
from netopt.subset_sum.relaxed import relaxed_shares
from netopt.subset_sum.sums import sums_of

_JOINED_BITS = 1.2  # log2(width) / D from which two beams are worth their time
_SCALES = 4  # rounds of subset and scale, each the best for the other
_FEW = 16  # elements whose subsets are all tried
_GPU_ENTRIES = 96  # that meeting in the middle takes on a GPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long the search looks.

    Attributes
    ----------
    width : states of a beam. Time grows with it; the error falls as width^(-1/D), or width^(-2/D) where two beams pay.
    subsets : states of the beam that are improved by flips.
    flips : steps of tabu search of each.
    free, rounds : elements freed at a time, and how often.
    memory : bytes that the arrays of problems searched together may take.
    """

    width: int = 256
    subsets: int = 4
    flips: int = 60
    free: int = 18
    rounds: int = 3
    memory: int = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class Subsets:
    """The subsets found.

    Attributes
    ----------
    selected : (p, n) bool.
    scale : (p,) factor of each sum: 1 unless it was free.
    sums : (p, D) scale times the sum.
    error : (p,) squared distance of the sums from the targets.
    empty : (p,) that of the empty subset.
    """

    selected: Any
    scale: Any
    sums: Any
    error: Any
    empty: Any

    @property
    def relative_error(self) -> float:
        """Root mean square of the errors over that of the targets, 0 where all targets are."""
        total = float(self.empty.sum())
        return float((float(self.error.sum()) / total) ** 0.5) if total else 0.0


def find_subsets(
    candidates: Any,
    targets: Any,
    *,
    size: int | None = None,
    price: Any = None,
    scaled: bool = False,
    effort: Effort | None = None,
) -> Subsets:
    """Return subsets whose sums come close to their targets.

    Parameters
    ----------
    candidates : (p, n, D) the vectors of each problem, NumPy's or CuPy's; zero vectors may fill up short problems.
    targets : (p, D).
    size : number of elements of every subset, or None for any.
    price : (p, n) or (n,) or a number: what each element costs, in units of the squared error; 0 if None.
    scaled : one factor for each sum is free too.
    effort : how long to look.

    Raises
    ------
    InputError
        Shapes do not fit, a number is not finite, or `size` is none that a subset can have.

    Examples
    --------
    >>> import numpy as np
    >>> found = find_subsets(np.array([[[3.0, 0.0], [0.0, 1.0], [1.0, 1.0]]]), np.array([[1.1, 2.0]]))
    >>> found.selected.tolist(), round(float(found.error[0]), 6)
    ([[False, True, True]], 0.01)
    """
    xp = array_namespace(candidates, targets)
    effort = effort or Effort()
    candidates, targets = _checked(xp, candidates, targets, size)
    prices = _prices(xp, candidates, price)
    step = max(1, effort.memory // _bytes_of_problem(candidates.shape[1], candidates.shape[2], effort))
    found = []
    for begin in range(0, candidates.shape[0], step):
        chunk = slice(begin, begin + step)
        search = _find_scaled if scaled else _find
        found.append(search(candidates[chunk], targets[chunk], prices[chunk], size, effort))
    selected, scale = (xp.concatenate(parts) for parts in zip(*found, strict=True))
    sums = scale[:, None] * sums_of(candidates, selected)
    missing = targets - sums
    return Subsets(selected, scale, sums, (missing * missing).sum(axis=-1), (targets * targets).sum(axis=-1))


def _find(candidates: Any, targets: Any, prices: Any, size: int | None, effort: Effort) -> tuple[Any, Any]:
    """Return the subsets, (p, n) bool, and ones, (p,)."""
    xp = array_namespace(candidates, targets)
    free = not bool(prices.any())
    if xp is np and free and candidates.shape[1] <= _FEW:
        selected = exact_subsets(candidates, targets, size)
    else:
        selected = _searched(xp, candidates, targets, prices, size, effort)
        if free and _may_meet(xp, candidates, size):
            weight = 2.0 * xp.sqrt(squared_error(candidates, targets, selected))  # no gain is worth another size
            vectors, wanted = _counted(xp, candidates, targets, size, weight)
            selected = free_and_choose(vectors, wanted, selected, free=effort.free, rounds=effort.rounds)
    if size is None:
        cost = squared_error(candidates, targets, selected) + (prices * selected).sum(axis=-1)
        selected = selected & (cost < (targets * targets).sum(axis=-1))[:, None]
    return selected, xp.ones(targets.shape[0])


def _searched(xp: Any, candidates: Any, targets: Any, prices: Any, size: int | None, effort: Effort) -> Any:
    """Return what beams and flips find."""
    square = xp.sort((candidates * candidates).sum(axis=-1), axis=-1)[:, : candidates.shape[2]]
    weight = xp.sqrt(square.mean(axis=-1) / candidates.shape[2])  # an entry of the shortest vectors, as beams need it
    vectors, wanted = _counted(xp, candidates, targets, size, weight)
    count = vectors.shape[1]
    start = xp.full(prices.shape, 0.5 if size is None else size / count)
    shares = relaxed_shares(candidates, targets, prices, size, start)
    order = xp.argsort(-(candidates * candidates).sum(axis=-1), axis=-1)
    beam = beam_search(vectors, shares, order, effort.width)
    missing = wanted - sums_of(vectors, shares)
    distance = ((beam.residual + missing[:, None]) ** 2).sum(axis=-1)
    selected = beam.selected(xp.argsort(distance, axis=-1)[:, : effort.subsets])
    if math.log2(effort.width) > _JOINED_BITS * vectors.shape[2] and _may_meet(xp, candidates, size):
        joined = joined_beams(vectors, wanted, shares, order, effort.width)
        selected = xp.concatenate([selected, joined[:, None]], axis=1)
    gram = candidates @ candidates.swapaxes(1, 2)
    pull = (candidates @ targets[..., None])[..., 0] - 0.5 * prices
    if size is not None:
        selected = of_size(gram, pull, selected, size)
    selected = tabu_search(gram, pull, selected, fixed_size=size is not None, flips=effort.flips)
    best = _best(xp, candidates, targets, prices, selected)
    improved = descend(gram, pull, best[:, None], fixed_size=size is not None)
    return _best(xp, candidates, targets, prices, xp.concatenate([best[:, None], improved], axis=1))


def _may_meet(xp: Any, candidates: Any, size: int | None) -> bool:
    """Return whether sums can meet in the middle: on a GPU up to 96 entries, the number of elements counted."""
    return xp is np or candidates.shape[2] + (size is not None) <= _GPU_ENTRIES


def _best(xp: Any, candidates: Any, targets: Any, prices: Any, selected: Any) -> Any:
    """Return the best of several subsets of each problem: (p, r, n) -> (p, n)."""
    missing = targets[:, None] - selected.astype(np.float64) @ candidates
    cost = (missing * missing).sum(axis=-1) + (prices[:, None] * selected).sum(axis=-1)
    best = xp.argmin(cost, axis=-1)
    return selected[xp.arange(selected.shape[0]), best]


def _find_scaled(candidates: Any, targets: Any, prices: Any, size: int | None, effort: Effort) -> tuple[Any, Any]:
    """Take turns: the best factor of the subset's sum, the best subset of the vectors times that factor."""
    xp = array_namespace(candidates, targets)
    scale = xp.ones(targets.shape[0])
    best, best_scale = _find(candidates, targets, prices, size, effort)
    least = xp.full(targets.shape[0], np.inf)
    selected = best
    for turn in range(_SCALES):
        if turn:
            selected, _ = _find(candidates * scale[:, None, None], targets, prices, size, effort)
        sums = sums_of(candidates, selected)
        square, along = (sums * sums).sum(axis=-1), (sums * targets).sum(axis=-1)
        scale = xp.where((square > 0.0) & (along > 0.0), along / xp.where(square > 0.0, square, 1.0), 1.0)
        missing = targets - scale[:, None] * sums
        cost = (missing * missing).sum(axis=-1) + (prices * selected).sum(axis=-1)
        better = cost < least
        least = xp.where(better, cost, least)
        best, best_scale = xp.where(better[:, None], selected, best), xp.where(better, scale, best_scale)
        if not bool(better.any()):
            break
    return best, best_scale


def _counted(xp: Any, candidates: Any, targets: Any, size: int | None, weight: Any) -> tuple[Any, Any]:
    """Return vectors and targets with their number as one more entry, times a weight, (p,), where a size is given."""
    if size is None:
        return candidates, targets
    weight = xp.where(weight > 0.0, weight, 1.0)[:, None]
    number = xp.broadcast_to(weight[..., None], (*candidates.shape[:2], 1))
    return xp.concatenate([candidates, number], axis=-1), xp.concatenate([targets, size * weight], axis=-1)


def _checked(xp: Any, candidates: Any, targets: Any, size: int | None) -> tuple[Any, Any]:
    candidates, targets = xp.asarray(candidates, dtype=np.float64), xp.asarray(targets, dtype=np.float64)
    if candidates.ndim != 3 or targets.shape != (candidates.shape[0], candidates.shape[2]) or not candidates.size:
        raise InputError(
            f"candidates of shape {tuple(candidates.shape)} do not fit targets of shape {tuple(targets.shape)};"
            " give (problems, vectors, entries) and (problems, entries)"
        )
    for name, values in (("candidates", candidates), ("targets", targets)):
        if wrong := int((~xp.isfinite(values)).sum()):
            raise InputError(f"{wrong} entries of the {name} are infinite or no numbers; give finite ones")
    if size is not None and not 0 <= size <= candidates.shape[1]:
        raise InputError(f"no subset of {candidates.shape[1]} vectors has size {size}")
    return candidates, targets


def _prices(xp: Any, candidates: Any, price: Any) -> Any:
    shape = candidates.shape[:2]
    values = xp.asarray(0.0 if price is None else price, dtype=np.float64)
    try:
        values = xp.broadcast_to(values, shape)
    except ValueError as error:
        raise InputError(f"prices of shape {tuple(values.shape)} do not fit {shape[1]} vectors") from error
    if not bool(xp.isfinite(values).all()):
        raise InputError("a price is infinite or no number; give finite ones")
    return values


def _bytes_of_problem(count: int, entries: int, effort: Effort) -> int:
    """Return the bytes of one problem's arrays: vectors, Gram matrix, states of the beam and where they came from."""
    beam = effort.width * (5 * count + 64 * (entries + 1))
    local = effort.subsets * (100 * count + 8 * 3 * 48 * 48)
    return 8 * count * (6 * entries + 2 * count) + beam + local
