r"""Bounds of pre-activations in which every bound has slopes of its own, optimised (alpha-CROWN).

CROWN carries all neurons of a layer backward through the same lines. Here each side of each neuron is an objective of
its own over the network in front of it, and its slopes are searched (`netopt.bounds.phases`); layer by layer, so that
later layers profit from the tighter bounds of the earlier ones. In the limit this is the linear program over triangles.

Given an objective t that is open, that is, whose points with ``t(x) >= c`` alone matter, a neuron's bounds need to hold
at those points only: multiples of ``t(x) - c`` are added to it. If a neuron's bounds then contradict each other there
are no such points.

Xu, Zhang, Wang, Wang, Jana, Lin, Hsieh, *Fast and complete* (ICLR 2021); Kotha, Brix, Kolter, Dvijotham, Zhang,
*Provably bounding neural network preimages* (INVPROP, NeurIPS 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray, sparse
from netopt.bounds.inputs import as_inputs
from netopt.bounds.interval import collect
from netopt.bounds.objectives import Objectives
from netopt.bounds.phases import PhaseBounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import propagate
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Node, Relu
from netopt.network.sparse import Sparse
from netopt.specification.domain import Domain

#: Steps of the search.
STEPS = 20
#: Most bounds searched together, so that they stay in the processor's cache; and most neurons of one network.
_BLOCK, _NEURONS = 256, 2048


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
    """
    bounds.require(network)
    sweep = _Sweep(network, domain, {name: (low.copy(), high.copy()) for name, (low, high) in bounds.pairs.items()})
    for relu in network.relus:
        if set(network[relu.input].inputs) != {INPUT}:  # those are exact
            sweep.tighten(relu, steps, stopped)
    state = propagate(network, as_inputs(network, domain), sweep.pairs)
    return collect(state, bounds.level if stopped() else "alpha-crown").intersect(bounds)


@dataclass(frozen=True, slots=True, eq=False)
class _Sweep:
    network: Network
    domain: Domain
    pairs: dict[str, tuple[FloatArray, FloatArray]]

    def tighten(self, relu: Relu, steps: int, stopped: Callable[[], bool]) -> None:
        """Tighten the unstable neurons of a ReLU."""
        state = propagate(self.network, as_inputs(self.network, self.domain), self.pairs)
        lower, upper = state.lower[relu.input][0].copy(), state.upper[relu.input][0].copy()
        neurons = np.flatnonzero((lower < 0.0) & (upper > 0.0))
        for first in range(0, neurons.size, _NEURONS):
            some = neurons[first : first + _NEURONS]
            if stopped():
                break
            high = self._bound(relu, some, steps, stopped)
            lower[some] = np.maximum(lower[some], -high[some.size :])
            upper[some] = np.minimum(upper[some], high[: some.size])
        self.pairs[relu.name] = lower, upper

    def _bound(self, relu: Relu, neurons: IntArray, steps: int, stopped: Callable[[], bool]) -> FloatArray:
        part = neurons_network(self.network, relu, neurons)
        both = np.concatenate([np.eye(neurons.size), -np.eye(neurons.size)])
        known = {earlier.name: self.pairs[earlier.name] for earlier in part.relus}
        bounds = collect(propagate(part, as_inputs(part, self.domain), known), "crown")
        search = PhaseBounds(part, self.domain, bounds, Objectives.separate(both))
        parts, upper = search.whole(), np.full(len(both), np.inf)
        block = min(_BLOCK, search.batch)
        for first in range(0, len(both), block):
            if stopped():
                break
            some = slice(first, first + block)
            upper[some] = search.bound(parts.take(some), steps, np.zeros(len(both)), stopped).upper
        return upper


def neurons_network(network: Network, relu: Relu, neurons: IntArray) -> Network:
    """Return the network in front of a ReLU, its outputs the pre-activations of some neurons."""
    needed, nodes = {relu.input}, list[Node]()
    for node in reversed(network.nodes):
        if node.name in needed:
            needed.update(node.inputs)
            nodes.insert(0, node)
    size = network[relu.input].size
    entries = np.ones(neurons.size), neurons, np.arange(neurons.size + 1)
    selection = sparse.csr_array(entries, shape=(neurons.size, size))
    name = f"{relu.name}.neurons"
    nodes.append(Affine(name, (relu.input,), (Sparse(selection),), np.zeros(neurons.size)))
    return network.with_nodes(tuple(nodes), name)
