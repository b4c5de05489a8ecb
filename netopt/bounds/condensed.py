"""A network over one domain with less in it: what bounds of parts are searched and proved on.

Inactive neurons are left out where all maps around them are dense; where that is cheaper still, the stable neurons go
altogether (`netopt.bounds.unstable_network`). Bounds of the condensed network over the domain are bounds of the network
and of its forward pass: what inactive neurons add to a sum is exactly zero there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from netopt.arrays import IntArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.products import Products
from netopt.bounds.propagation import Propagation, propagate
from netopt.bounds.unstable_network import unstable_network, unstable_neurons, unstable_products
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.linear_map import LinearMap
from netopt.network.network import Network
from netopt.network.nodes import Affine, Node, Relu
from netopt.network.single import single_precision

#: What a product of a convolution costs in products of dense matrices.
_CONVOLVED = 4
#: Most entries that matrices of unstable neurons may have.
_MOST_ENTRIES = 2**25


@dataclass(frozen=True, slots=True, eq=False)
class Condensed:
    """A condensed network and where its neurons come from.

    Attributes
    ----------
    state : bounds of its nodes; its ReLUs have the names of those they come from.
    network : the same network in float32, or in float64 where its weights do not fit.
    kept : name of a Relu -> its neurons that are left, (kept,).
    unstable : name of a Relu -> its unstable neurons, (unstable,), as numbers of the whole network's.
    """

    state: Propagation
    network: Network
    kept: Mapping[str, IntArray]
    unstable: Mapping[str, IntArray]

    @classmethod
    def of(cls, state: Propagation) -> Condensed:
        """Return the cheapest network over the only input set of `state`."""
        unstable = unstable_neurons(state)
        network, kept = _without_inactive(state)
        errors = {}
        if _pays(network, unstable_products(network, unstable)):
            own = unstable_network(state, unstable)
            network, kept, errors = own.network, unstable, dict(own.error)
        pairs = {}
        for relu in network.relus:
            source, some = state.network[relu.name].inputs[0], kept[relu.name]
            pairs[relu.name] = state.lower[source][:, some], state.upper[source][:, some]
        return cls(
            propagate(network, state.inputs, pairs, errors), single_precision(network) or network, kept, unstable
        )


def searching_products(network: Network, bounds: PreactivationBounds) -> tuple[float, float]:
    """Return about how many products it takes to condense a network by its bounds, and then a pass through it."""
    forward = float(sum(Products(network).own.values()))
    unstable = {name: np.flatnonzero((low < 0.0) & (high > 0.0)) for name, (low, high) in bounds.pairs.items()}
    entries = unstable_products(network, unstable)
    return (bounds.unstable_count * forward, float(entries)) if _pays(network, entries) else (0.0, forward)


def _pays(network: Network, entries: int) -> bool:
    """Whether matrices of so many entries are cheaper than the maps of a network."""
    return entries <= _MOST_ENTRIES and entries < sum(_cost(m) for node in network.affines for m in node.maps)


def _cost(linear_map: LinearMap) -> int:
    if isinstance(linear_map, Convolution):
        return _CONVOLVED * linear_map.parameters * linear_map.out_size // len(linear_map.weight)
    return linear_map.parameters


def _without_inactive(state: Propagation) -> tuple[Network, dict[str, IntArray]]:
    """Return the network without inactive neurons, and those kept of each Relu."""
    network = state.network
    readers: dict[str, list[Node]] = {}
    for node in network.nodes:
        for source in node.inputs:
            readers.setdefault(source, []).append(node)
    kept: dict[str, IntArray] = {}
    thinned: dict[str, IntArray] = {}
    for relu in network.relus:
        around = [network[relu.input], *readers.get(relu.name, ())]
        dense = all(isinstance(node, Affine) and all(isinstance(m, Dense) for m in node.maps) for node in around)
        alone = len(readers[relu.input]) == 1 and network.output not in (relu.input, relu.name)
        kept[relu.name] = np.arange(relu.size)
        if dense and alone:
            kept[relu.name] = np.flatnonzero(state.upper[relu.input][0] > 0.0)
            thinned[relu.input] = thinned[relu.name] = kept[relu.name]
    return network.with_nodes(tuple(_thinned(node, thinned) for node in network.nodes)), kept


def _thinned(node: Node, kept: Mapping[str, IntArray]) -> Node:
    """Return a node with the entries `kept` of it and of what it reads."""
    rows = kept.get(node.name)
    if isinstance(node, Relu):
        return node if rows is None else replace(node, size=rows.size)
    maps = tuple(_part(m, rows, kept.get(source)) for source, m in zip(node.inputs, node.maps, strict=True))
    return replace(node, maps=maps, bias=node.bias if rows is None else node.bias[rows])


def _part(linear_map: LinearMap, rows: IntArray | None, columns: IntArray | None) -> LinearMap:
    if not isinstance(linear_map, Dense) or (rows is None and columns is None):
        return linear_map
    weight = linear_map.weight if rows is None else linear_map.weight[rows]
    return Dense(weight if columns is None else np.ascontiguousarray(weight[:, columns]))
