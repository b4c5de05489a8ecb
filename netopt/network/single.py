"""A network in single precision, for gradients where speed counts more than digits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from netopt.arrays import FloatArray
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.linear_map import LinearMap
from netopt.network.network import Network
from netopt.network.nodes import Affine, Node
from netopt.network.sparse import Sparse

#: Parameters that are not zero have sizes between these, lest products leave float32's range.
_SMALLEST, _LARGEST = 1e-12, 1e12
#: Typed so because the project's array types name float64: these arrays stay inside the gradients.
SINGLE: Any = np.float32


def single_precision(network: Network) -> Network | None:
    """Return the network with float32 parameters, for gradients at float32 points; None where it is no good.

    Half the memory traffic of float64, so twice the speed, for `netopt.network.gradient.value_and_gradient`. Values are
    approximate: replay points in the network itself.
    """
    nodes: list[Node] = []
    for node in network.nodes:
        if not isinstance(node, Affine):
            nodes.append(node)
            continue
        maps = [_single(linear_map) for linear_map in node.maps]
        known = [linear_map for linear_map in maps if linear_map is not None]
        if len(known) < len(maps) or not _fits(node.bias):
            return None
        nodes.append(replace(node, maps=tuple(known), bias=node.bias.astype(SINGLE)))
    return network.with_nodes(tuple(nodes))


def _single(linear_map: LinearMap) -> LinearMap | None:
    if isinstance(linear_map, Dense | Convolution):
        weight = linear_map.weight
        return replace(linear_map, weight=weight.astype(SINGLE)) if _fits(weight) else None
    if isinstance(linear_map, Sparse):
        return Sparse(linear_map.weight.astype(SINGLE)) if _fits(linear_map.weight.data) else None
    return None


def _fits(values: FloatArray) -> bool:
    size = np.abs(values)
    return bool(((size == 0.0) | ((size > _SMALLEST) & (size < _LARGEST))).all())
