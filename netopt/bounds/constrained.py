r"""Bounds of pre-activations that hold where some objective is still open: all that a search has left to look at.

Only points where an objective t exceeds what closes it matter. A bound of a neuron over those takes multiples of
``t - enough`` along (`netopt.bounds.neuron_bounds`), and is tighter than one over the domain, the more so the closer
the objective is to being closed. Neurons near the output gain most: layers are taken from the last one on, until one
gains next to nothing, and again while the last one gains. Where the bounds of a neuron contradict each other, there is
no such point. Of several objectives each has bounds of its own; what holds where any of them is open are the loosest.

Kotha, Brix, Kolter, Dvijotham, Zhang, *Provably bounding neural network preimages* (INVPROP, NeurIPS 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.bounds.interval import tightened
from netopt.bounds.neuron_bounds import Condition, bound_neurons
from netopt.bounds.preactivation import PreactivationBounds
from netopt.errors import InputError
from netopt.network.network import Network
from netopt.specification.domain import Domain

#: Steps of every search of a neuron's bounds, and most sweeps over the layers.
_STEPS, _SWEEPS = 20, 4
#: Mean share of their ranges that the unstable neurons of a layer have to lose for the next layer to be taken, and of
#: the last layer for another sweep.
_LAYER_GAIN, _SWEEP_GAIN = 0.02, 0.05


def constrained_bounds(
    network: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    conditions: Sequence[Condition],
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[PreactivationBounds, BoolArray]:
    """Return bounds that hold wherever one of k conditions is met, and which of them are met nowhere, (k,).

    Parameters
    ----------
    bounds : of this network, which hold wherever one of the conditions is met.
    conditions : each about one objective, with a positive excess.
    stopped : asked all the time; what is reached then is returned.

    Raises
    ------
    InputError
        The bounds belong to another network, or a condition is about several objectives.

    Examples
    --------
    Over [-1, 1] both ReLUs of ``max(0, x) - max(0, -x)`` are unstable, where that exceeds 0.9 none is:

    >>> import numpy as np
    >>> from netopt.bounds.constrained import constrained_bounds
    >>> from netopt.bounds.crown import crown_bounds
    >>> from netopt.bounds.neuron_bounds import Condition
    >>> from netopt.bounds.objectives import Objectives
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, -1.0]]], [[0.0, 0.0], [0.0]])
    >>> box = Box(np.array([-1.0]), np.array([1.0]))
    >>> condition = Condition(Objectives.separate(np.ones((1, 1))), enough=0.9, excess=0.1)
    >>> crown = crown_bounds(network, box)
    >>> tight, nowhere = constrained_bounds(network, box, crown, [condition])
    >>> crown.unstable_count, tight.unstable_count, nowhere.tolist()
    (2, 0, [False])
    """
    bounds.require(network)
    for condition in conditions:
        if condition.rows.count != 1:
            raise InputError(f"a condition is about one objective, not {condition.rows.count}")
    pairs, nowhere = [bounds.pairs for _ in conditions], np.zeros(len(conditions), dtype=bool)
    searches = {k: _sweeps(network, domain, pairs[k], condition, stopped) for k, condition in enumerate(conditions)}
    while searches:  # a layer of each in turn: of a layer that one of them has not come to, nothing is known of all
        for k in list(searches):
            possible = next(searches[k], None)
            nowhere[k] = possible is False
            if not possible:
                del searches[k]
    met = {k: tightened(bounds, network, domain, found) for k, found in enumerate(pairs) if not nowhere[k]}
    for k, known in met.items():
        nowhere[k] = any((lower > upper).any() for lower, upper in known.pairs.values())
    somewhere = [known for k, known in met.items() if not nowhere[k]]
    return reduce(PreactivationBounds.unite, somewhere) if somewhere else bounds, nowhere


def _sweeps(
    network: Network,
    domain: Domain,
    pairs: dict[str, tuple[FloatArray, FloatArray]],
    condition: Condition,
    stopped: Callable[[], bool],
) -> Iterator[bool]:
    """Tighten `pairs` to where a condition is met; tell after every layer whether there is such a point, for all known.

    Ends where nothing more is gained, where there is no such point, or once `stopped` says so.
    """
    for _ in range(_SWEEPS):
        gains: list[float | None] = []
        for relu in reversed(network.relus):
            if stopped():
                return
            before = pairs[relu.name]
            lower, upper = pairs[relu.name] = bound_neurons(network, domain, pairs, relu, _STEPS, stopped, condition)
            possible = bool((lower <= upper).all())
            yield possible
            if not possible:
                return
            gain = _gain(before, (lower, upper))
            gains.append(gain)
            if gain is not None and gain < _LAYER_GAIN:
                break
        if not gains or gains[0] is None or gains[0] < _SWEEP_GAIN:
            return


def _gain(before: tuple[FloatArray, FloatArray], after: tuple[FloatArray, FloatArray]) -> float | None:
    """Return the mean share of their ranges that the unstable neurons of a layer have lost; None if it has none."""
    unstable = (before[0] < 0.0) & (before[1] > 0.0)
    if not unstable.any():
        return None
    left = (after[1] - after[0])[unstable] / (before[1] - before[0])[unstable]
    return 1.0 - float(left.mean())
