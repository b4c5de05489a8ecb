r"""Bounds of pre-activations in which every bound has slopes of its own, optimised (alpha-CROWN).

CROWN carries all neurons of a layer backward through the same lines. Here the slopes of each side of each neuron are
searched (`netopt.bounds.neuron_bounds`), layer by layer, so that later layers profit from the tighter bounds of the
earlier ones. In the limit this is the linear program over triangles.

Xu, Zhang, Wang, Wang, Jana, Lin, Hsieh, *Fast and complete* (ICLR 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netopt.bounds.interval import inexact_relus, tightened
from netopt.bounds.neuron_bounds import bound_neurons, bound_outputs
from netopt.bounds.preactivation import LEVELS, PreactivationBounds
from netopt.network.network import Network
from netopt.specification.domain import Domain

#: Steps of the search: twice as many bring bounds a few per cent tighter.
STEPS = 10


def alpha_crown_bounds(
    network: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    *,
    steps: int = STEPS,
    stopped: Callable[[], bool] = lambda: False,
) -> PreactivationBounds:
    """Return bounds of every ReLU with optimised slopes, nowhere looser than `bounds`.

    Parameters
    ----------
    bounds : of this network over this domain, such as CROWN's.
    steps : of the search for slopes.
    stopped : asked all the time; what is reached then is returned, at the level of `bounds`.

    Raises
    ------
    InputError
        The bounds belong to another network.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.alpha_crown import alpha_crown_bounds
    >>> from netopt.bounds.crown import crown_bounds
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0], [1.0]], [[0.25, -1.0]], [[1.0]]], [[1.0, 0.5], [0.0], [0.0]])
    >>> box = Box(np.array([-1.0]), np.array([1.0]))
    >>> crown = crown_bounds(network, box)
    >>> alpha = alpha_crown_bounds(network, box, crown)
    >>> crown.upper["layer2.relu"].round(2).tolist(), alpha.upper["layer2.relu"].round(2).tolist()
    ([0.5], [0.13])
    """
    bounds.require(network)
    pairs = bounds.pairs
    for relu in inexact_relus(network):
        pairs[relu.name] = bound_neurons(network, domain, pairs, relu, steps, stopped)
    tight = tightened(bounds, network, domain, pairs)
    if stopped():
        return tight
    lower, upper = bound_outputs(network, domain, tight, steps, stopped)
    level = tight.level if stopped() else max(tight.level, "alpha-crown", key=LEVELS.index)
    return replace(tight, output_lower=lower, output_upper=upper, level=level)
