"""A dense matrix as the linear part of an Affine node."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from netopt.arrays import FloatArray, IntArray
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

    def to_csr(self, rows: IntArray | None = None) -> sparse.csr_array:
        return sparse.csr_array(self.weight if rows is None else self.weight[rows])

    def rows(self, rows: IntArray) -> FloatArray:
        return self.weight[rows]

    def scale_rows(self, factor: FloatArray) -> Dense:
        return Dense(self.weight * factor[:, None])

    @cached_property
    def fan_in(self) -> IntArray:
        return np.full(self.out_size, self.in_size)
