"""Products and sums of linear maps that keep their structure; what would lose it is not computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import FloatArray, IntArray, sparse
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.identity import Identity
from netopt.network.linear_map import LinearMap
from netopt.network.sparse import Sparse

#: Matrices from this size on are kept sparse below this share of nonzeros; a BLAS product wins on denser ones.
_SPARSE_SIZE = 1024
_SPARSE_DENSITY = 0.1


def diagonal(factor: FloatArray) -> Sparse:
    """Return ``diag(factor)``."""
    size = factor.size
    return _clean(sparse.csr_array((np.array(factor), np.arange(size), np.arange(size + 1)), shape=(size, size)))


def selection(index: IntArray, in_size: int) -> Sparse:
    """Return the map whose k-th output is input ``index[k]``, or zero where that is negative."""
    kept = index >= 0
    pointer = np.concatenate([[0], np.cumsum(kept)])
    chosen = index[kept]
    return Sparse(sparse.csr_array((np.ones(chosen.size), chosen, pointer), shape=(index.size, in_size)))


def weighted_sums(index: IntArray, weights: FloatArray, in_size: int) -> Sparse:
    """Return the map whose k-th output is ``sum_j weights[k, j] x[index[k, j]]``; zero weights are not stored."""
    rows, places = np.nonzero(weights)
    entries = (weights[rows, places], (rows, index[rows, places]))
    return _clean(sparse.csr_array(sparse.coo_array(entries, shape=(index.shape[0], in_size))))


def is_identity(linear_map: LinearMap) -> bool:
    """Return whether a map is a stored identity."""
    if isinstance(linear_map, Identity):
        return True
    if not isinstance(linear_map, Sparse) or linear_map.in_size != linear_map.out_size:
        return False
    weight = linear_map.weight
    size = linear_map.out_size
    if weight.nnz != size or not (weight.data == 1.0).all():
        return False
    return bool((weight.indices == np.arange(size)).all() and (np.diff(weight.indptr) == 1).all())


def composed_parameters(outer: LinearMap, inner: LinearMap) -> int | None:
    """Return (an upper bound of) the weights ``outer @ inner`` would store, or None where it would lose structure."""
    if is_identity(inner):
        return outer.parameters
    if is_identity(outer):
        return inner.parameters
    if isinstance(outer, Sparse) and isinstance(inner, Sparse):
        return int(np.diff(inner.weight.indptr)[outer.weight.indices].sum())
    if isinstance(outer, Convolution) or isinstance(inner, Convolution):
        product = _with_convolution(outer, inner)
        return None if product is None else product.parameters
    return outer.out_size * inner.in_size


def compose(outer: LinearMap, inner: LinearMap) -> LinearMap:
    """Return ``outer @ inner``; `composed_parameters` has said that it can be had."""
    if is_identity(inner):
        return outer
    if is_identity(outer):
        return inner
    if isinstance(outer, Sparse):
        if isinstance(inner, Sparse):
            return _clean(sparse.csr_array(outer.weight @ inner.weight))
        if isinstance(inner, Dense):
            return Dense(np.asarray(outer.weight @ inner.weight))
    if isinstance(outer, Dense):
        if isinstance(inner, Dense):
            return Dense(outer.weight @ inner.weight)
        if isinstance(inner, Sparse):
            return Dense(np.ascontiguousarray((inner.weight.T @ outer.weight.T).T))
    product = _with_convolution(outer, inner)
    assert product is not None
    return product


def add_maps(first: LinearMap, second: LinearMap) -> LinearMap | None:
    """Return the sum of two maps between the same spaces, or None where it would lose structure."""
    if isinstance(first, Sparse) and isinstance(second, Sparse):
        return _clean(sparse.csr_array(first.weight + second.weight))
    if isinstance(first, Convolution) and isinstance(second, Convolution):
        same = first.geometry == second.geometry
        return first.with_weight(first.weight + second.weight) if same else None
    if isinstance(first, Convolution) or isinstance(second, Convolution):
        return None
    return Dense(_dense(first) + _dense(second))


def structured(weight: NDArray[Any]) -> LinearMap:
    """Return a matrix of any number type as Sparse where most of it is zero, else as Dense."""
    if weight.size >= _SPARSE_SIZE and np.count_nonzero(weight) < _SPARSE_DENSITY * weight.size:
        return Sparse(sparse.csr_array(weight).astype(np.float64))
    return Dense(np.ascontiguousarray(weight, dtype=np.float64))


def _dense(linear_map: LinearMap) -> FloatArray:
    return linear_map.weight if isinstance(linear_map, Dense) else linear_map.to_csr().toarray()


def _clean(weight: sparse.csr_array) -> Sparse:
    weight.eliminate_zeros()
    weight.sort_indices()
    return Sparse(weight)


def _with_convolution(outer: LinearMap, inner: LinearMap) -> Convolution | None:
    """Return a product with a convolution where the other factor mixes whole channels, pixel by pixel."""
    if isinstance(outer, Convolution) and isinstance(inner, Convolution):
        if not inner.pointwise or outer.groups > 1:
            return None
        return outer.mix_inputs(sparse.csr_array(inner.weight[:, :, 0, 0]))
    if isinstance(outer, Convolution) and isinstance(inner, Sparse):
        _, height, width = outer.in_shape
        mixing = _channel_mixing(inner.weight, height * width)
        return outer.absorb_padding(inner.weight) if mixing is None else outer.mix_inputs(mixing)
    if isinstance(outer, Sparse) and isinstance(inner, Convolution):
        _, height, width = inner.out_shape
        mixing = _channel_mixing(outer.weight, height * width)
        return None if mixing is None else inner.mix_outputs(mixing)
    return None


def _channel_mixing(weight: sparse.csr_array, pixels: int) -> sparse.csr_array | None:
    """Return M with ``weight = kron(M, identity(pixels))`` where there is one with at most one entry a row."""
    rows, columns = weight.shape
    counts = np.diff(weight.indptr)
    if rows % pixels or columns % pixels or counts.max(initial=0) > 1:
        return None
    counts = counts.reshape(-1, pixels)
    if (counts != counts[:, :1]).any():
        return None
    index = weight.indices.reshape(-1, pixels)
    data = weight.data.reshape(-1, pixels)
    if (data != data[:, :1]).any() or (index != index[:, :1] + np.arange(pixels)).any() or (index[:, 0] % pixels).any():
        return None
    pointer = np.concatenate([[0], np.cumsum(counts[:, 0])])
    return sparse.csr_array((data[:, 0], index[:, 0] // pixels, pointer), shape=(rows // pixels, columns // pixels))
