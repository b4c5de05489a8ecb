"""A ticket written back with the target's own nodes: what is left of it once its first-of-pair ReLUs are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from netopt.arrays import FloatArray
from netopt.network.network import Network
from netopt.network.nodes import Affine, Node
from netopt.ticket.search import FoundBias, FoundMap


def folded_network(
    target: Network, scales: Mapping[str, float], maps: Sequence[FoundMap], biases: Sequence[FoundBias]
) -> Network | None:
    """Return the target with the kernels and biases its ticket has in their place; None where that is no such network.

    A channel that takes both signs has two kernels in the ticket. Where none does, the folded network equals the
    ticket on the domain, up to rounding.
    """
    if any((found.learned.positive & found.learned.negative).any() for found in maps):
        return None
    kernels = {(found.learned.node.name, found.learned.index): found for found in maps}
    constants = {found.learned.node.name: found for found in biases}
    nodes: list[Node] = []
    for node in target.nodes:
        if not isinstance(node, Affine):
            nodes.append(node)
            continue
        new_maps = tuple(
            kernels[node.name, k].learned.with_kernels(_kernels(kernels[node.name, k]))
            if (node.name, k) in kernels
            else linear_map
            for k, linear_map in enumerate(node.maps)
        )
        bias = node.bias if node.name not in constants else _bias(constants[node.name], scales[node.name])
        nodes.append(replace(node, maps=new_maps, bias=bias))
    return target.with_nodes(tuple(nodes))


def _kernels(found: FoundMap) -> FloatArray:
    """Return the kernels in the target's units; what a channel without values is read with does not matter."""
    sums = np.where(found.learned.positive[:, None], found.subsets.sums[0], -found.subsets.sums[1])
    kernels: FloatArray = sums / found.learned.factor
    return kernels


def _bias(found: FoundBias, scale: float) -> FloatArray:
    learned = found.learned
    return np.repeat(found.subsets.sums[0].ravel() * (learned.carried / scale), learned.pixels)
