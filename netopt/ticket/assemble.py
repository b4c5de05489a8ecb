"""The ticket as a network: the filters kept, as Affine and ReLU nodes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netopt.arrays import FloatArray, sparse
from netopt.network.composition import diagonal, selection
from netopt.network.convolution import Convolution
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Node, Relu
from netopt.network.sparse import Sparse
from netopt.reduction.prepare import unused_name
from netopt.ticket.search import FoundBias, FoundMap

Terms = list[tuple[str, LinearMap]]


def assemble(
    target: Network, scales: Mapping[str, float], maps: tuple[FoundMap, ...], biases: tuple[FoundBias, ...]
) -> Network:
    """Return the network of the filters kept.

    Nodes of the target keep their names and hold `scales` times its values. Before each learned map stand its random
    channels, ``"{key}.lift"`` and ``"{key}.lift.relu"``; a learned bias is made of the constant channels
    ``"{node}.constant"``.
    """
    of_map = {(found.learned.node.name, found.learned.index): found for found in maps}
    of_bias = {found.learned.node.name: found for found in biases}
    nodes: list[Node] = []
    for node in target.nodes:
        if isinstance(node, Relu):
            nodes.append(node)
            continue
        terms: Terms = []
        for k, (source, linear_map) in enumerate(zip(node.inputs, node.maps, strict=True)):
            found = of_map.get((node.name, k))
            if found is None:
                factor = scales[node.name] / scales[source]
                terms.append((source, linear_map.scale_rows(np.full(node.size, factor))))
            elif found.subsets.lift.size:
                nodes += _lifted(found, source)
                terms.append((nodes[-1].name, found.learned.of_filters(found.subsets.filters, found.subsets.channel)))
        bias = np.zeros(node.size)
        if node.name not in of_bias:
            bias = scales[node.name] * node.bias
        elif of_bias[node.name].subsets.lift.size:
            nodes += _constant(of_bias[node.name], target.input_size)
            terms.append(_spread(of_bias[node.name], nodes))
        nodes.append(_affine(node.name, terms, bias, target.input_size))
    output = target.output
    if scales[output] != 1.0:
        size = target.output_size
        output = unused_name("ticket.output", {node.name for node in nodes})
        nodes.append(
            Affine(output, (target.output,), (diagonal(np.full(size, 1.0 / scales[target.output])),), np.zeros(size))
        )
    return target.with_nodes(tuple(nodes), output)


def _lifted(found: FoundMap, source: str) -> list[Node]:
    """Return the random channels that read one input channel each, and their ReLU."""
    subsets, learned = found.subsets, found.learned
    count, channel = subsets.lift.size, subsets.channel // learned.groups
    name = f"{learned.key}.lift"
    if isinstance(learned.shape, Convolution):
        weight = np.zeros((count, learned.channels, 1, 1))
        weight[np.arange(count), channel, 0, 0] = subsets.lift
        lift: LinearMap = Convolution(weight, learned.shape.in_shape)
    else:
        entries = (subsets.lift, channel, np.arange(count + 1))
        lift = Sparse(sparse.csr_array(entries, shape=(count, learned.channels)))
    return _with_relu(name, (source,), (lift,), np.zeros(lift.out_size))


def _constant(found: FoundBias, inputs: int) -> list[Node]:
    """Return the random channels that read the constant channel, and their ReLU."""
    lift = found.subsets.lift * found.learned.carried
    nothing = Sparse(sparse.csr_array((lift.size, inputs)))
    return _with_relu(f"{found.learned.node.name}.constant", (INPUT,), (nothing,), lift)


def _with_relu(name: str, inputs: tuple[str, ...], maps: tuple[LinearMap, ...], bias: FloatArray) -> list[Node]:
    return [Affine(name, inputs, maps, bias), Relu(f"{name}.relu", name, bias.size)]


def _spread(found: FoundBias, nodes: list[Node]) -> tuple[str, LinearMap]:
    """Return the term that adds a bias to the pixels of each channel, with a node for the channels where needed."""
    filters = found.learned.of_filters(found.subsets.filters, found.subsets.channel)
    source = nodes[-1].name
    if found.learned.pixels == 1:
        return source, filters
    name = f"{found.learned.node.name}.bias"
    nodes.append(Affine(name, (source,), (filters,), np.zeros(filters.out_size)))
    return name, selection(np.repeat(np.arange(filters.out_size), found.learned.pixels), filters.out_size)


def _affine(name: str, terms: Terms, bias: FloatArray, inputs: int) -> Affine:
    terms = terms or [(INPUT, Sparse(sparse.csr_array((bias.size, inputs))))]
    sources, maps = zip(*terms, strict=True)
    return Affine(name, sources, maps, bias)
