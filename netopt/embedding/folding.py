"""Scaling, constants and repeated variables among the inputs, folded into the first layer of the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.errors import InputError
from netopt.network.composition import compose, composed_parameters, is_identity
from netopt.network.convolution import Convolution
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Node
from netopt.network.sparse import Sparse
from netopt.pruning.mask import Mask
from netopt.pruning.weights import PrunableMap, prunable_maps

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


def fold_mask(mask: Mask, network: Network, folded: Network, matrix: sparse.csr_array) -> Mask:
    """Return a mask of `network` as one of ``folded = fold_inputs(network, matrix, ...)``.

    A weight of the first layer stays where a weight that it is made of does; weights of constant inputs have gone into
    the biases, whatever the mask says of them.

    Raises
    ------
    InputError
        The mask is not one of `network`.
    """
    mask.require(network)
    maps = {part.key: part for part in prunable_maps(network)}
    kept = {
        part.key: _folded_part(mask.kept[part.key], maps[part.key], part, matrix)
        if part.key in maps
        else np.ones(part.weights.shape, dtype=bool)  # an average of inputs that are scaled one by one
        for part in prunable_maps(folded)
    }
    factors = {key: factor for key, factor in mask.factors.items() if key in kept}
    return replace(mask, kept=kept, factors=factors, network_sha256=folded.sha256)


def _folded_part(kept: BoolArray, part: PrunableMap, folded: PrunableMap, matrix: sparse.csr_array) -> BoolArray:
    whole = part.linear_map
    if folded.source != INPUT:
        return kept
    if isinstance(whole, Convolution):
        if folded.weights.shape != kept.shape:
            raise InputError(
                f"the mask of the convolution {part.key!r} cannot follow input channels that are constant or repeated;"
                " name another method of pruning"
            )
        return kept
    reads = sparse.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    if isinstance(whole, Sparse):
        stored = whole.weight
        marks = sparse.csr_array((kept.astype(np.float64), stored.indices, stored.indptr), shape=stored.shape)
        return np.isin(_places(folded.linear_map.to_csr()), _places(sparse.csr_array(marks @ reads), nonzero=True))
    return np.asarray((reads.T @ kept.T.astype(np.float64)).T) > 0.0


def _places(entries: sparse.csr_array, *, nonzero: bool = False) -> IntArray:
    """Return the stored entries as one number each, or those of them that are not zero."""
    found = entries.tocoo()
    places = found.row.astype(np.int64) * entries.shape[1] + found.col
    return places[found.data != 0.0] if nonzero else places


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
