"""Linear maps seen as graphs, and some of their rows and columns, whatever their structure."""

from __future__ import annotations

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray, sparse
from netopt.network.composition import add_maps
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.linear_map import LinearMap
from netopt.network.sparse import Sparse

#: Large matrices are stored dense from this share of nonzeros on: products with them are faster so.
_DENSE_SHARE = 0.3
_DENSE_SIZE = 1024


def pattern(linear_map: LinearMap) -> LinearMap:
    """Return the map with every weight that is not zero replaced by 1: products with it count."""
    if isinstance(linear_map, Sparse):
        weight = linear_map.weight
        stored = (weight.data != 0.0).astype(np.float64)
        return Sparse(sparse.csr_array((stored, weight.indices, weight.indptr), shape=weight.shape))
    if isinstance(linear_map, Convolution):
        return linear_map.with_weight((linear_map.weight != 0.0).astype(np.float64))
    assert isinstance(linear_map, Dense)
    return Dense((linear_map.weight != 0.0).astype(np.float64))


def fan_in(of_pattern: LinearMap, columns: BoolArray) -> FloatArray:
    """Return how many of some inputs each output reads, (out,)."""
    counts: FloatArray = of_pattern.apply(columns.astype(np.float64)[None])[0]
    return counts


def fan_out(of_pattern: LinearMap, rows: BoolArray) -> FloatArray:
    """Return how many of some outputs read each input, (in,)."""
    counts: FloatArray = of_pattern.apply_transpose(rows.astype(np.float64)[None])[0]
    return counts


def weight_count(linear_map: LinearMap) -> int:
    """Return the number of stored weights that are not zero (a convolution's kernel once)."""
    if isinstance(linear_map, Sparse):
        return int(np.count_nonzero(linear_map.weight.data))
    assert isinstance(linear_map, Dense | Convolution)
    return int(np.count_nonzero(linear_map.weight))


def largest_weight(linear_map: LinearMap) -> float:
    """Return the largest absolute weight."""
    if isinstance(linear_map, Sparse):
        return float(np.abs(linear_map.weight.data).max(initial=0.0))
    assert isinstance(linear_map, Dense | Convolution)
    return float(np.abs(linear_map.weight).max(initial=0.0))


def take(linear_map: LinearMap, rows: IntArray | None, columns: IntArray | None) -> LinearMap:
    """Return some rows and columns in ascending order, None for all; those of a convolution are whole channels."""
    if rows is not None and rows.size == linear_map.out_size:
        rows = None
    if columns is not None and columns.size == linear_map.in_size:
        columns = None
    if rows is None and columns is None:
        return linear_map
    if isinstance(linear_map, Sparse):
        weight = linear_map.weight if rows is None else linear_map.weight[rows]
        return Sparse(weight if columns is None else _sparse_columns(weight, columns))
    if isinstance(linear_map, Convolution):
        return _take_channels(linear_map, rows, columns)
    assert isinstance(linear_map, Dense)
    matrix = linear_map.weight if rows is None else linear_map.weight[rows]
    return Dense(matrix if columns is None else np.ascontiguousarray(matrix[:, columns]))


def _sparse_columns(weight: sparse.csr_array, columns: IntArray) -> sparse.csr_array:
    """Return some columns of a matrix; faster than SciPy's own indexing, which sorts."""
    place = np.full(weight.shape[1], -1, dtype=weight.indices.dtype)
    place[columns] = np.arange(columns.size, dtype=place.dtype)
    moved = place[weight.indices]
    kept = moved >= 0
    before = np.concatenate([[0], np.cumsum(kept)]).astype(weight.indptr.dtype)
    shape = (weight.shape[0], columns.size)
    return sparse.csr_array((weight.data[kept], moved[kept], before[weight.indptr]), shape=shape)


def _take_channels(linear_map: Convolution, rows: IntArray | None, columns: IntArray | None) -> Convolution:
    taken: Convolution | None = linear_map
    if rows is not None:
        pixels = linear_map.out_shape[1] * linear_map.out_shape[2]
        taken = linear_map.mix_outputs(_channels(rows, pixels, linear_map.out_shape[0]))
    assert taken is not None
    if columns is not None:
        pixels = linear_map.in_shape[1] * linear_map.in_shape[2]
        chosen = _channels(columns, pixels, linear_map.in_shape[0])
        taken = taken.mix_inputs(sparse.csr_array(chosen.T))
    assert taken is not None
    return taken


def _channels(pixels_chosen: IntArray, pixels: int, count: int) -> sparse.csr_array:
    channel = pixels_chosen[::pixels] // pixels
    ones = np.ones(channel.size)
    return sparse.csr_array((ones, channel, np.arange(channel.size + 1)), shape=(channel.size, count))


def without_zeros(linear_map: LinearMap) -> LinearMap:
    """Return a sparse map without stored zeros; other maps as they are."""
    if not isinstance(linear_map, Sparse) or linear_map.weight.data.all():
        return linear_map
    weight = linear_map.weight.copy()
    weight.eliminate_zeros()
    return Sparse(weight)


def settled(linear_map: LinearMap) -> LinearMap:
    """Return a matrix in the structure its share of nonzeros asks for."""
    entries = linear_map.in_size * linear_map.out_size
    if entries < _DENSE_SIZE or isinstance(linear_map, Convolution):
        return linear_map
    full = weight_count(linear_map) >= _DENSE_SHARE * entries
    if full and isinstance(linear_map, Sparse):
        return Dense(linear_map.weight.toarray())
    return linear_map if full or isinstance(linear_map, Sparse) else Sparse(linear_map.to_csr())


def join_terms(terms: list[tuple[str, LinearMap]]) -> list[tuple[str, LinearMap]]:
    """Return a sum with each source once where the maps can be added, and without empty maps."""
    joined: dict[str, list[LinearMap]] = {}
    for source, linear_map in terms:
        present = joined.setdefault(source, [])
        total = add_maps(present[-1], linear_map) if present else None
        present[-1:] = [*present[-1:], linear_map] if total is None else [total]
    clean = [(source, without_zeros(m)) for source, maps in joined.items() for m in maps]
    return [(source, m) for source, m in clean if weight_count(m)]
