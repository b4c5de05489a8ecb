"""A network brought to the form that reduction works on; its function stays the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from netopt.network.identity import Identity
from netopt.network.network import Network
from netopt.network.nodes import Affine, Node, Relu
from netopt.reduction.maps import settled, without_zeros


def prepare(network: Network) -> Network:
    """Return the network with an Affine as output and matrices stored as their zeros ask for."""
    nodes: list[Node] = [_clean(node) for node in network.nodes]
    output = network.output
    if isinstance(network[output], Relu):
        size = network.output_size
        output = unused_name(f"{output}.output", {node.name for node in nodes})
        nodes.append(Affine(output, (network.output,), (Identity(size),), np.zeros(size)))
    if output == network.output and all(new is old for new, old in zip(nodes, network.nodes, strict=True)):
        return network
    return network.with_nodes(tuple(nodes), output)


def unused_name(wanted: str, used: set[str]) -> str:
    """Return `wanted`, lengthened until no node has it."""
    while wanted in used:
        wanted += "'"
    return wanted


def _clean(node: Node) -> Node:
    if isinstance(node, Relu):
        return node
    maps = tuple(settled(without_zeros(m)) for m in node.maps)
    return node if all(new is old for new, old in zip(maps, node.maps, strict=True)) else replace(node, maps=maps)
