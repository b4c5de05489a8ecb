"""The part of a network in front of one node."""

from __future__ import annotations

from netopt.network.network import Network
from netopt.network.nodes import Affine


def upstream(network: Network, affine: Affine) -> Network:
    """Return the network that ends at `affine`, without the nodes it does not depend on."""
    needed = {affine.name}
    for node in reversed(network.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return network.with_nodes(tuple(node for node in network.nodes if node.name in needed), affine.name)
