"""Independent components: parts of a network that share no input and no neuron."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csgraph

from netopt.arrays import IntArray
from netopt.network.network import INPUT, Network
from netopt.network.neuron_graph import NeuronGraph


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """A set of inputs, neurons and outputs that no weight joins to the rest.

    Attributes
    ----------
    inputs, outputs : their numbers.
    neurons : name of a Relu (or of an Affine that another Affine reads) -> numbers of its neurons.
    """

    inputs: IntArray
    outputs: IntArray
    neurons: Mapping[str, IntArray]


def components(network: Network) -> tuple[Component, ...]:
    """Return the independent components, those with most inputs first; inputs that nothing reads are in none.

    Weights that are zero join nothing, so reduce a network first: `netopt.reduction.reduce_network`.

    Examples
    --------
    >>> from netopt.network.build import from_weights
    >>> from netopt.reduction.components import components
    >>> diagonal = [[1.0, 0.0], [0.0, 1.0]]
    >>> [part.inputs.tolist() for part in components(from_weights([diagonal, diagonal], [[0.0, 0.0], [0.0, 0.0]]))]
    [[0], [1]]
    """
    graph = NeuronGraph.of(network)
    count, label = csgraph.connected_components(graph.weights, directed=False)
    members = {name: _by_label(label[graph.group(name)].astype(np.int64), count) for name in graph.names}
    outputs = members.pop(network.output)
    inputs = members.pop(INPUT)
    hidden = members if network[network.output] in network.affines else members | {network.output: outputs}
    found = []
    for k in range(count):
        neurons = {name: parts[k] for name, parts in hidden.items() if parts[k].size}
        if neurons or outputs[k].size:
            found.append(Component(inputs[k], outputs[k], neurons))
    return tuple(sorted(found, key=lambda part: -part.inputs.size))


def _by_label(label: IntArray, count: int) -> list[IntArray]:
    order = np.argsort(label, kind="stable")
    return np.split(order, np.searchsorted(label[order], np.arange(1, count)))
