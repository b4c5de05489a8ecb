"""A dense matrix as the linear part of an Affine node."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import DTypeLike

from netopt.arrays import BoolArray, FloatArray, IntArray, sparse
from netopt.network.linear_map import LinearMap


@dataclass(frozen=True, eq=False)
class Dense(LinearMap):
    """Dense linear map; `weight` is (out, in) float64."""

    weight: FloatArray

    @property
    def in_size(self) -> int:
        return int(self.weight.shape[1])

    @property
    def out_size(self) -> int:
        return int(self.weight.shape[0])

    @property
    def parameters(self) -> int:
        return self.weight.size

    @cached_property
    def _absolute(self) -> FloatArray:
        return np.abs(self.weight)

    def apply(self, x: FloatArray) -> FloatArray:
        return x @ self.weight.T

    def apply_transpose(self, y: FloatArray) -> FloatArray:
        return y @ self.weight

    def apply_abs(self, x: FloatArray) -> FloatArray:
        return x @ self._absolute.T

    def apply_abs_transpose(self, y: FloatArray) -> FloatArray:
        return y @ self._absolute

    @cached_property
    def signed_rows(self) -> tuple[BoolArray, BoolArray]:
        least, most = self.weight.min(axis=1, initial=0.0), self.weight.max(axis=1, initial=0.0)
        return least >= 0.0, most <= 0.0

    def to_csr(self, rows: IntArray | None = None) -> sparse.csr_array:
        weight = self.weight if rows is None else self.weight[rows]
        stored = weight != 0.0
        counts = np.count_nonzero(stored, axis=1)
        kind = np.int32 if weight.size < 2**31 else np.int64
        pointer = np.concatenate([[0], np.cumsum(counts)]).astype(kind)
        columns = np.broadcast_to(np.arange(self.in_size, dtype=kind), weight.shape)
        if pointer[-1] == weight.size:  # the usual case, several times faster than through a mask
            return sparse.csr_array((weight.flatten(), columns.flatten(), pointer), shape=weight.shape)
        return sparse.csr_array((weight[stored], columns[stored], pointer), shape=weight.shape)

    def rows(self, rows: IntArray) -> FloatArray:
        return self.weight[rows]

    def digest_arrays(self) -> tuple[FloatArray, ...]:
        return (self.weight,)

    def astype(self, dtype: DTypeLike) -> Dense:
        return Dense(self.weight.astype(dtype))

    def scale_rows(self, factor: FloatArray) -> Dense:
        return Dense(self.weight * factor[:, None])

    @cached_property
    def fan_in(self) -> IntArray:
        return np.full(self.out_size, self.in_size)
