"""The identity as the linear part of an Affine node: what is added on, or passed by, unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netopt.arrays import BoolArray, FloatArray, sparse
from netopt.network.sparse import Sparse


@dataclass(frozen=True, eq=False, init=False)
class Identity(Sparse):
    """The identity on R^size; its CSR array is made only where one is asked for."""

    size: int

    def __init__(self, size: int) -> None:
        object.__setattr__(self, "size", size)

    @cached_property  # type: ignore[misc]  # stands for the field, made on demand
    def weight(self) -> sparse.csr_array:
        """The stored matrix."""
        entries = np.ones(self.size), np.arange(self.size), np.arange(self.size + 1)
        return sparse.csr_array(entries, shape=(self.size, self.size))

    @property
    def in_size(self) -> int:
        return self.size

    @property
    def out_size(self) -> int:
        return self.size

    @property
    def parameters(self) -> int:
        return self.size

    @property
    def signed_rows(self) -> tuple[BoolArray, BoolArray]:
        return np.ones(self.size, dtype=bool), np.zeros(self.size, dtype=bool)

    def apply(self, x: FloatArray) -> FloatArray:
        return x.copy()

    def apply_transpose(self, y: FloatArray) -> FloatArray:
        return y.copy()

    def apply_abs(self, x: FloatArray) -> FloatArray:
        return x.copy()

    def apply_abs_transpose(self, y: FloatArray) -> FloatArray:
        return y.copy()
