"""The weights of a network that pruning may remove, map by map, whatever the map's structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from netopt.arrays import FloatArray, IntArray
from netopt.network.composition import structured
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.linear_map import LinearMap
from netopt.network.network import Network
from netopt.network.nodes import Affine
from netopt.network.sparse import Sparse


@dataclass(frozen=True, slots=True, eq=False)
class PrunableMap:
    """One linear map whose weights may be removed.

    Attributes
    ----------
    key : what masks call it: the name of its Affine, or ``"name:k"`` for the k-th map of an Affine with several inputs.
    node, index : the Affine and the map's place in it.
    """

    key: str
    node: Affine
    index: int

    @property
    def linear_map(self) -> LinearMap:
        """The map."""
        return self.node.maps[self.index]

    @property
    def source(self) -> str:
        """Name of the node the map reads."""
        return self.node.inputs[self.index]

    @property
    def weights(self) -> FloatArray:
        """The stored weights, shaped as masks are: Dense (out, in), Sparse (nnz,), Convolution its kernel."""
        return stored_weights(self.linear_map)


def prunable_maps(network: Network) -> tuple[PrunableMap, ...]:
    """Return the maps that pruning may touch, in topological order: all but the structural ones."""
    return tuple(
        PrunableMap(node.name if len(node.maps) == 1 else f"{node.name}:{k}", node, k)
        for node in network.affines
        for k, linear_map in enumerate(node.maps)
        if not is_structural(linear_map)
    )


def is_structural(linear_map: LinearMap) -> bool:
    """Return whether a map only moves, scales or compares values, so that it holds nothing learned to remove.

    These are the Sparse maps with at most one entry a row (skip branches, selections, scalings) and those whose
    entries all have one size (averages; the differences that a maximum is made of).
    """
    if not isinstance(linear_map, Sparse):
        return False
    size = np.abs(linear_map.weight.data)
    return bool(np.diff(linear_map.weight.indptr).max(initial=0) <= 1 or (size == size[0]).all())


def stored_weights(linear_map: LinearMap) -> FloatArray:
    """Return the weights a map stores."""
    if isinstance(linear_map, Sparse):
        data: FloatArray = linear_map.weight.data
        return data
    assert isinstance(linear_map, Dense | Convolution)
    return linear_map.weight


def with_weights(linear_map: LinearMap, weights: FloatArray) -> LinearMap:
    """Return the map with other weights in the same places; zeros are not stored where that pays."""
    if isinstance(linear_map, Convolution):
        return linear_map.with_weight(weights)
    if isinstance(linear_map, Dense):
        return structured(weights)
    matrix = linear_map.to_csr()
    changed = sparse.csr_array((weights, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)
    changed.eliminate_zeros()
    return Sparse(changed)


def stored_rows(matrix: sparse.csr_array) -> IntArray:
    """Return the row of every stored entry, (nnz,)."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def uses(linear_map: LinearMap, inputs: FloatArray, outputs: FloatArray) -> FloatArray:
    """Return ``inputs[j] * outputs[i]`` summed over the pairs (i, j) that each stored weight joins.

    Parameters
    ----------
    inputs, outputs : (in_size,), (out_size,).

    Returns
    -------
    An array shaped like the stored weights; a kernel's weight joins one pair at every position.
    """
    if isinstance(linear_map, Sparse):
        matrix = linear_map.weight
        return np.asarray(inputs[matrix.indices] * outputs[stored_rows(matrix)])
    if isinstance(linear_map, Convolution):
        windows = linear_map.unfold(inputs[None])[0]
        pixels = outputs.reshape(linear_map.groups, -1, windows.shape[2])
        summed: FloatArray = np.matmul(pixels, windows.transpose(0, 2, 1)).reshape(linear_map.weight.shape)
        return summed
    return np.multiply.outer(outputs, inputs)
