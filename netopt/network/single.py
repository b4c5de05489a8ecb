"""A network in single precision, for gradients where speed counts more than digits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from netopt.arrays import FloatArray, sparse
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.linear_map import LinearMap
from netopt.network.network import Network
from netopt.network.nodes import Affine, Node
from netopt.network.sparse import Sparse

#: The largest parameter of a node has a size between these, lest products leave float32's range; those smaller than it
#: by the last factor become zero, as float32 is slow on subnormal numbers.
_SMALLEST, _LARGEST, _NEGLIGIBLE = 1e-6, 1e12, 1e-15
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
        nodes.append(replace(node, maps=tuple(known), bias=_rounded(node.bias)))
    return network.with_nodes(tuple(nodes))


def _single(linear_map: LinearMap) -> LinearMap | None:
    if isinstance(linear_map, Dense | Convolution):
        return replace(linear_map, weight=_rounded(linear_map.weight)) if _fits(linear_map.weight) else None
    if isinstance(linear_map, Sparse) and _fits(linear_map.weight.data):
        weight = linear_map.weight
        return Sparse(sparse.csr_array((_rounded(weight.data), weight.indices, weight.indptr), shape=weight.shape))
    return None


def _fits(values: FloatArray) -> bool:
    largest = float(np.abs(values).max(initial=0.0))
    return largest == 0.0 or _SMALLEST < largest < _LARGEST


def _rounded(values: FloatArray) -> FloatArray:
    size = np.abs(values)
    return np.where(size > _NEGLIGIBLE * size.max(initial=0.0), values, 0.0).astype(SINGLE)
