"""Scaling, constants and repeated variables among the inputs, folded into the first layer of the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from netopt.arrays import FloatArray
from netopt.network.composition import compose, composed_parameters, is_identity
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Node
from netopt.network.sparse import Sparse

_SCALED = "input.scaled"


def fold_inputs(network: Network, matrix: sparse.csr_array, constant: FloatArray) -> Network:
    """Return the network ``w -> network(matrix @ w + constant)``; its ReLUs keep their names.

    Parameters
    ----------
    matrix : (n, k) CSR with at most one entry a row.
    constant : (n,).

    Notes
    -----
    A dense or sparse first layer is multiplied out, which is at most its own size. A layer whose structure that would
    lose (a convolution under a scaling that differs inside a channel) reads an Affine node of its own instead.
    """
    inner = Sparse(matrix)
    if is_identity(inner) and not constant.any():
        return network
    readers = [node for node in network.affines if INPUT in node.inputs]
    maps = [m for node in readers for source, m in zip(node.inputs, node.maps, strict=True) if source == INPUT]
    foldable = all(composed_parameters(linear_map, inner) is not None for linear_map in maps)
    nodes: list[Node] = [] if foldable else [Affine(_SCALED, (INPUT,), (inner,), constant)]
    for node in network.nodes:
        if not isinstance(node, Affine) or INPUT not in node.inputs:
            nodes.append(node)
        else:
            nodes.append(_folded(node, inner, constant) if foldable else _redirected(node))
    inputs = (TensorSpec("w", (matrix.shape[1],), "float64"),)
    return replace(network, nodes=tuple(nodes), inputs=inputs, source=None, source_sha256=None)


def _folded(node: Affine, inner: Sparse, constant: FloatArray) -> Affine:
    maps = []
    bias = node.bias
    for source, linear_map in zip(node.inputs, node.maps, strict=True):
        if source == INPUT:
            bias = bias + linear_map.apply(np.atleast_2d(constant))[0]
            linear_map = compose(linear_map, inner)
        maps.append(linear_map)
    return replace(node, maps=tuple(maps), bias=bias)


def _redirected(node: Affine) -> Affine:
    return replace(node, inputs=tuple(_SCALED if source == INPUT else source for source in node.inputs))
