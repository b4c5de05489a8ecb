r"""Rows over many boxes carried backward as sparse matrices, for networks whose neurons see few others.

Where a neuron depends on a small part of each layer before it, as in trees of minima and maxima, a row has few
coefficients that are not zero, and a step through a layer costs as many products. The account of rounding is that of
`netopt.bounds.box_rows` with ``|A| m`` itself instead of a product of norms, and with the entries of a row as the terms
of a sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from netopt.arrays import FloatArray, IntArray, sparse
from netopt.bounds.box_rows import BoxBackward, BoxRows, RoundedAffine
from netopt.bounds.precision import DOUBLE, Floats
from netopt.bounds.propagation import affine_terms
from netopt.network.convolution import Convolution
from netopt.network.network import Network
from netopt.network.nodes import Affine, Relu
from netopt.network.sparse import Sparse

#: Rows of a node that are looked at to tell how many others its neurons see.
_LOOKED_AT = 16
#: Largest share of coefficients that are not zero with which sparse rows are faster.
_SHARE = 0.05
#: Layers narrower than this are carried as dense rows.
_WIDE = 512
#: Coefficients of one block of rows.
BLOCK_ENTRIES = 2**18


class SparseBoxBackward(BoxBackward):
    """`BoxBackward` with sparse rows; `affines` come from `sparse_affines`."""

    def both_sides(self, node: Affine, neurons: IntArray, owner: IntArray) -> BoxRows:
        """See `BoxBackward`."""
        twice, sign = np.repeat(neurons, 2), np.tile([-1.0, 1.0], neurons.size)
        error = 3.0 * self._affines[node.name].error * self.state.magnitude[node.name][owner, neurons]
        result = BoxRows({}, sign * node.bias[twice], np.repeat(error, 2), np.repeat(owner, 2))
        for source, matrix in zip(node.inputs, self._matrices(node), strict=True):
            rows = matrix[twice]
            rows.data *= np.repeat(sign, np.diff(rows.indptr)).astype(rows.dtype)
            self._add(result, source, rows)
        return result

    def _begin(self, rows: BoxRows) -> None:
        for name, value in rows.coefficients.items():
            if isinstance(value, np.ndarray):
                rows.coefficients[name] = sparse.csr_array(value)

    def _dense(self, value: Any) -> FloatArray:
        return np.asarray(value if isinstance(value, np.ndarray) else value.toarray(), dtype=np.float64)

    def _matrices(self, node: Affine) -> list[Any]:
        return [linear_map.to_csr() for linear_map in self._affines[node.name].maps]

    def _through_affine(self, node: Affine, value: Any, rows: BoxRows) -> None:
        affine = self._affines[node.name]
        rows.constant += value @ affine.bias
        terms = _most(value) + 2 * len(self._position) + 16
        share = self._precision.gamma(terms) + DOUBLE.gamma(affine_terms(node) + 8)
        size = np.abs(value.data).astype(np.float64)
        owner, magnitude = _owners(value, rows.owner), self.state.magnitude[node.name]
        # Weights that round to zero err by `tiny` each, whatever they are multiplied with.
        reach = sum(self.state.reach(source).sum(axis=1) for source in node.inputs)
        weight = share * magnitude[owner, value.indices] + self._precision.tiny * (1.0 + reach)[owner]
        rows.error += _row_sums(value, size * weight)
        for source, matrix in zip(node.inputs, self._matrices(node), strict=True):
            self._add(rows, source, value @ matrix)

    def _through_relu(self, node: Relu, value: Any, rows: BoxRows) -> None:
        lines, owner = self._lines[node.name], _owners(value, rows.owner)
        rising = value.data > 0
        above = np.where(rising, value.data, 0).astype(np.float64)
        intercept = _row_sums(value, above * lines.intercept[owner, value.indices])
        rows.constant += intercept
        rows.error += DOUBLE.gamma(_most(value) + len(self._position) + 16) * intercept
        slope = np.where(rising, lines.upper_slope[owner, value.indices], lines.lower_slope[owner, value.indices])
        value.data *= slope
        value.eliminate_zeros()
        self._add(rows, node.input, value)

    def _loose(self, node: Relu, rows: BoxRows) -> Floats:
        here = BoxRows({node.name: rows.coefficients[node.name].toarray()}, rows.constant, rows.error, rows.owner)
        return super()._loose(node, here)

    def _add(self, rows: BoxRows, name: str, value: Any) -> None:
        present = rows.coefficients.get(name)
        if present is not None:
            value = sparse.csr_array(value) + present
            reach = self.state.reach(name)[_owners(value, rows.owner), value.indices]
            rounding = 2.0 * self._precision.unit_roundoff
            rows.error += rounding * _row_sums(value, np.abs(value.data).astype(np.float64) * reach)
        rows.coefficients[name] = value


def _owners(value: Any, owner: IntArray) -> IntArray:
    """Return the owner of the row of each entry."""
    return np.repeat(owner, np.diff(value.indptr))


def _most(value: Any) -> int:
    """Return the largest number of entries of a row."""
    return int(np.diff(value.indptr).max(initial=0))


def _row_sums(value: Any, entries: FloatArray) -> FloatArray:
    """Return the sums of numbers that belong to the entries of rows."""
    count = value.shape[0]
    row = np.repeat(np.arange(count), np.diff(value.indptr))
    return np.asarray(np.bincount(row, weights=entries, minlength=count), dtype=np.float64)


def sparse_affines(affines: Mapping[str, RoundedAffine]) -> dict[str, RoundedAffine]:
    """Return Affines with sparse matrices for maps."""
    return {
        name: replace(affine, maps=tuple(Sparse(linear_map.to_csr()) for linear_map in affine.maps))
        for name, affine in affines.items()
    }


def entries_seen(network: Network) -> dict[str, int] | None:
    """Return how many coefficients a row of each Affine has at most in one step, None where dense rows are faster.

    A few neurons stand for all of a node.
    """
    if max(node.size for node in network.nodes) < _WIDE or any(
        isinstance(m, Convolution) for node in network.affines for m in node.maps
    ):
        return None
    patterns = {node.name: [_pattern(m.to_csr()) for m in node.maps] for node in network.affines}
    seen: dict[str, int] = {}
    sparse_cost, dense_cost = 0.0, 0.0
    for node in network.affines:
        sizes, entries = _steps(network, node, patterns)
        seen[node.name] = int(max(entries)) + 1
        sparse_cost += node.size * sum(entries)
        dense_cost += node.size * sum(sizes)
    return seen if sparse_cost <= _SHARE * dense_cost else None


def _steps(network: Network, start: Affine, patterns: Mapping[str, list[Any]]) -> tuple[list[int], list[float]]:
    """Return the sizes of the nodes that rows of an Affine pass, and how many entries a row has there."""
    some = np.linspace(0, start.size - 1, min(start.size, _LOOKED_AT)).astype(np.int64)
    units = np.ones(some.size), some, np.arange(some.size + 1)
    rows = {start.name: sparse.csr_array(units, shape=(some.size, start.size))}
    sizes, entries = [], []
    for node in reversed(network.nodes):
        value = rows.pop(node.name, None)
        if value is None:
            continue
        sizes.append(node.size)
        entries.append(value.nnz / some.size)
        through = [value] if isinstance(node, Relu) else [value @ matrix for matrix in patterns[node.name]]
        for source, part in zip(node.inputs, through, strict=True):
            rows[source] = _pattern(rows[source] + part if source in rows else part)
    return sizes, entries


def _pattern(matrix: Any) -> Any:
    """Return a matrix with ones where another is not zero."""
    ones = sparse.csr_array(matrix, copy=True)
    ones.eliminate_zeros()
    ones.data = np.ones(ones.nnz)
    return ones
