"""A pass over the layers of a network: every neuron's bounds are tightened, layer by layer, by one or more processes.

Later layers profit from earlier ones; the neurons of one layer do not depend on each other. With a team they are dealt
like cards, those nearest to being stable first, and what the processes find is intersected.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.alpha_crown import STEPS
from netopt.bounds.interval import inexact_relus, tightened
from netopt.bounds.neuron_bounds import bound_neurons
from netopt.bounds.preactivation import Pairs, PreactivationBounds
from netopt.engines.branch_and_bound.neuron_split import NeuronSplit
from netopt.engines.branch_and_bound.team import Package, Team, processes, side_by_side
from netopt.network.network import Network
from netopt.network.nodes import Relu
from netopt.specification.domain import Domain

#: Instead of a number of parts: slopes are searched, nothing is split.
SLOPES = 0


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What all layers of a pass share."""

    network: Network
    domain: Domain


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """Neurons of one layer that one process bounds.

    Attributes
    ----------
    pairs : what is known of all ReLUs.
    relu : name of the layer's Relu.
    neurons : (k,) of it.
    parts : about as many are bounded for each neuron; `SLOPES` for none.
    seconds : after which the process ends; None for no limit.
    """

    pairs: Pairs
    relu: str
    neurons: IntArray
    parts: int
    seconds: float | None


def split_neurons(
    network: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    parts: int,
    *,
    deadline: float | None = None,
    stopped: Callable[[], bool] = lambda: False,
    team: Team | None = None,
) -> PreactivationBounds:
    """Return bounds of every ReLU by branch and bound on its neurons, nowhere looser than `bounds`.

    Parameters
    ----------
    bounds : of this network over this domain.
    parts : about as many are bounded for each unstable neuron; `SLOPES` for none.
    deadline : value of `time.monotonic`; every layer gets the same share of the time that is left.
    stopped : asked all the time; what is reached then is returned.
    team : processes that take part, once they are ready.

    Raises
    ------
    InputError
        The bounds belong to another network.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.crown import crown_bounds
    >>> from netopt.engines.branch_and_bound.layer_pass import split_neurons
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> weights = [[[1.0], [-1.0], [1.0]], [[1.0, 1.0, -1.0]], [[1.0]]]
    >>> network = from_weights(weights, [[0.0, 0.0, 0.5], [0.0], [0.0]])  # |x| - max(0, x + 0.5) inside
    >>> box = Box(np.array([-1.0]), np.array([1.0]))
    >>> crown = crown_bounds(network, box)
    >>> split = split_neurons(network, box, crown, 10)
    >>> crown.lower["layer2.relu"].round(2).tolist(), split.lower["layer2.relu"].round(2).tolist()
    ([-1.5], [-0.5])
    """
    bounds.require(network)
    pairs = bounds.pairs
    scene = Scene(network, domain)
    package = Package(scene)
    behind = inexact_relus(network)
    for k, relu in enumerate(behind):
        now = time.monotonic()
        seconds = None if deadline is None else max(0.0, deadline - now) / (len(behind) - k)
        first, *others = [
            Hand(pairs, relu.name, neurons, parts, seconds) for neurons in _deal(pairs, relu, processes(team))
        ]
        found, answers = side_by_side(
            team,
            bound_hand,
            package,
            [hand for hand in others if hand.neurons.size],
            own=partial(_bound, scene, first, stopped),
            stopped=stopped,
        )
        lower, upper = zip(found, *(answer for answer in answers if answer is not None), strict=True)
        pairs[relu.name] = np.maximum.reduce(lower), np.minimum.reduce(upper)
    return tightened(bounds, network, domain, pairs)


def bound_hand(scene: Scene, hand: Hand) -> tuple[FloatArray, FloatArray]:
    """Return bounds (lower, upper) of a layer, of which some neurons were looked at; runs in another process."""
    return _bound(scene, hand, lambda: False)


def _bound(scene: Scene, hand: Hand, stopped: Callable[[], bool]) -> tuple[FloatArray, FloatArray]:
    end = np.inf if hand.seconds is None else time.monotonic() + hand.seconds
    relu = scene.network[hand.relu]
    assert isinstance(relu, Relu)

    def over() -> bool:
        return stopped() or time.monotonic() >= end

    if hand.parts == SLOPES:
        return bound_neurons(scene.network, scene.domain, hand.pairs, relu, STEPS, over, neurons=hand.neurons)
    split = NeuronSplit(scene.network, scene.domain, hand.pairs, relu, hand.neurons)
    split.advance(hand.parts * split.neurons.size, over)
    return split.bounds()


def _deal(pairs: Pairs, relu: Relu, count: int) -> list[IntArray]:
    """Return a share of a layer's unstable neurons for each of `count` processes."""
    lower, upper = pairs[relu.name]
    unstable = np.flatnonzero((lower < 0.0) & (upper > 0.0))
    near = np.minimum(upper, -lower)[unstable] / (upper - lower)[unstable]
    order = unstable[np.argsort(near, kind="stable")]
    return [np.sort(order[k::count]) for k in range(count)]
