"""A sparse matrix (CSR) as the linear part of an Affine node: pruned layers, selections, permutations, pooling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from numpy.typing import DTypeLike

from netopt.arrays import FloatArray, IntArray, sparse
from netopt.network.linear_map import LinearMap


@dataclass(frozen=True, eq=False)
class Sparse(LinearMap):
    """Sparse linear map; `weight` is a (out, in) float64 CSR array."""

    weight: sparse.csr_array

    @property
    def in_size(self) -> int:
        return int(self.weight.shape[1])

    @property
    def out_size(self) -> int:
        return int(self.weight.shape[0])

    @property
    def parameters(self) -> int:
        return int(self.weight.nnz)

    @cached_property
    def _absolute(self) -> sparse.csr_array:
        return abs(self.weight)

    def apply(self, x: FloatArray) -> FloatArray:
        return (self.weight @ x.T).T

    def apply_transpose(self, y: FloatArray) -> FloatArray:
        return (self.weight.T @ y.T).T

    def apply_abs(self, x: FloatArray) -> FloatArray:
        return (self._absolute @ x.T).T

    def apply_abs_transpose(self, y: FloatArray) -> FloatArray:
        return (self._absolute.T @ y.T).T

    def to_csr(self, rows: IntArray | None = None) -> sparse.csr_array:
        return self.weight if rows is None else self.weight[rows]

    def astype(self, dtype: DTypeLike) -> Sparse:
        return Sparse(sparse.csr_array(self.weight.astype(dtype)))

    def scale_rows(self, factor: FloatArray) -> Sparse:
        return Sparse(sparse.csr_array(sparse.diags_array(factor) @ self.weight))
