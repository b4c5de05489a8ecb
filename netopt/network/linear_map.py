"""The linear part of an Affine node. It keeps its structure: dense, sparse, convolution; one file each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from netopt.arrays import BoolArray, FloatArray, IntArray, sparse


class LinearMap(ABC):
    """A linear map from R^in_size to R^out_size, applied to batches; vectors are flattened row-major (C, H, W) tensors.

    Concrete maps are immutable. Batches are 2-D float64 arrays, one vector a row.
    """

    @property
    @abstractmethod
    def in_size(self) -> int:
        """Length of an input vector."""

    @property
    @abstractmethod
    def out_size(self) -> int:
        """Length of an output vector."""

    @abstractmethod
    def apply(self, x: FloatArray) -> FloatArray:
        """Return ``W x`` for every row: (batch, in_size) -> (batch, out_size)."""

    @abstractmethod
    def apply_transpose(self, y: FloatArray) -> FloatArray:
        """Return ``W^T y`` for every row: (batch, out_size) -> (batch, in_size)."""

    @abstractmethod
    def apply_abs(self, x: FloatArray) -> FloatArray:
        """Return ``|W| x`` for every row: (batch, in_size) -> (batch, out_size)."""

    @abstractmethod
    def apply_abs_transpose(self, y: FloatArray) -> FloatArray:
        """Return ``|W|^T y`` for every row: (batch, out_size) -> (batch, in_size)."""

    @abstractmethod
    def to_csr(self, rows: IntArray | None = None) -> sparse.csr_array:
        """Return the matrix, or some of its rows, as CSR without stored zeros: (len(rows), in_size)."""

    def rows(self, rows: IntArray) -> FloatArray:
        """Return some rows of the matrix as a dense array, (len(rows), in_size)."""
        return self.to_csr(rows).toarray()

    @abstractmethod
    def scale_rows(self, factor: FloatArray) -> LinearMap:
        """Return ``diag(factor) W``; structure is kept where it can be."""

    @abstractmethod
    def astype(self, dtype: DTypeLike) -> LinearMap:
        """Return the map with its weights rounded to a floating-point type, for batches of that type."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Number of stored weights (a convolution counts its kernel once)."""

    @cached_property
    def signed_rows(self) -> tuple[BoolArray, BoolArray]:
        """Which rows have no negative weight, and which no positive one, each (out_size,)."""
        matrix = self.to_csr()
        return _rows_without(matrix, matrix.data < 0.0), _rows_without(matrix, matrix.data > 0.0)

    def digest_arrays(self) -> tuple[NDArray[Any], ...]:
        """Return arrays that tell this map from others of its class; a network's digest is made of them."""
        matrix = self.to_csr()
        return matrix.indptr, matrix.indices, matrix.data

    @cached_property
    def fan_in(self) -> IntArray:
        """Number of terms each output sums, (out_size,): what the rounding error of a dot product grows with."""
        return np.diff(self.to_csr().indptr).astype(np.int64)


def _rows_without(matrix: sparse.csr_array, entries: BoolArray) -> BoolArray:
    """Return which rows hold none of some stored entries, (rows,)."""
    found = np.concatenate([[0], np.cumsum(entries)])
    without: BoolArray = found[matrix.indptr[1:]] == found[matrix.indptr[:-1]]
    return without
