"""Rows gathered block by block and joined into one CSR matrix at the end, without a sort in the usual case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from formulations.errors import FormulationError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Coefficients = sparse.csr_array | FloatArray | float
Term = tuple[IntArray, Coefficients]

#: Stands in a column array for "identically zero": the term it multiplies is dropped.
VANISHED = -1


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One term of a block in CSR layout: row k holds ``columns[start[k]:start[k + 1]]``."""

    start: IntArray
    columns: IntArray
    values: FloatArray


@dataclass(slots=True)
class RowBlocks:
    """Rows ``lower <= sum_t M_t x[columns_t] <= upper``, a block at a time."""

    parts: list[list[_Part]] = field(default_factory=list)
    lower: list[FloatArray] = field(default_factory=list)
    upper: list[FloatArray] = field(default_factory=list)
    count: int = 0

    def append(self, terms: tuple[Term, ...], lower: ArrayLike, upper: ArrayLike) -> int:
        """Append a block and return its number of rows; vanished columns and zero coefficients are dropped."""
        height = _block_height(terms, lower, upper)
        parts = [_part(np.asarray(columns, dtype=np.int64), coefficients, height) for columns, coefficients in terms]
        self.parts.append(parts)
        self.lower.append(filled(lower, height))
        self.upper.append(filled(upper, height))
        self.count += height
        return height

    def matrix(self, column_count: int) -> sparse.csr_array:
        """Return all rows as one CSR matrix without duplicates; its indices have 32 bits where these suffice."""
        counts = [
            sum((np.diff(part.start) for part in parts), np.zeros(size, dtype=np.int64))
            for parts, size in self._blocks()
        ]
        pointer = np.concatenate([[0], np.cumsum(np.concatenate(counts))]) if counts else np.zeros(1, dtype=np.int64)
        kind = np.int32 if max(self.count, column_count, pointer[-1]) < 2**31 else np.int64
        columns, values = np.empty(pointer[-1], dtype=kind), np.empty(pointer[-1])
        first = 0
        for parts, size in self._blocks():
            _place(parts, pointer[first : first + size + 1], columns, values)
            first += size
        matrix = sparse.csr_array((values, columns, pointer.astype(kind)), shape=(self.count, column_count))
        matrix.sum_duplicates()
        return matrix

    def _blocks(self) -> Iterator[tuple[list[_Part], int]]:
        return zip(self.parts, map(len, self.lower), strict=True)


def _place(parts: list[_Part], pointer: IntArray, columns: NDArray[np.int32 | np.int64], values: FloatArray) -> None:
    """Write the terms of a block side by side into their rows, lower columns first so that rows come out sorted."""
    offset = pointer[:-1].copy()
    for part in sorted((part for part in parts if part.columns.size), key=lambda part: int(part.columns.min())):
        counts = np.diff(part.start)
        if len(parts) == 1:
            where: slice | IntArray = slice(pointer[0], pointer[-1])
        else:
            where = np.arange(part.columns.size) + np.repeat(offset - part.start[:-1], counts)
        columns[where], values[where] = part.columns, part.values
        offset += counts


def filled(value: ArrayLike, count: int) -> FloatArray:
    """Return `value` as (count,) float64."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (count,))


def _block_height(terms: tuple[Term, ...], lower: ArrayLike, upper: ArrayLike) -> int:
    for columns, coefficients in terms:
        return int(coefficients.shape[0]) if sparse.issparse(coefficients) else len(columns)
    return max(np.size(lower), np.size(upper))


def _part(columns: IntArray, coefficients: Coefficients, height: int) -> _Part:
    if sparse.issparse(coefficients):
        if coefficients.shape != (height, columns.size):
            raise FormulationError(
                f"a block of {height} rows on {columns.size} columns was given a matrix of shape {coefficients.shape}"
            )
        matrix = coefficients.tocsr()
        return _without_zeros(matrix.indptr.astype(np.int64), columns[matrix.indices], matrix.data)
    if columns.size != height:
        raise FormulationError(f"a block of {height} rows was given a diagonal of {columns.size} columns")
    return _without_zeros(np.arange(height + 1), columns, filled(coefficients, height))


def _without_zeros(start: IntArray, columns: IntArray, values: FloatArray) -> _Part:
    keep = (columns != VANISHED) & (values != 0.0)
    if keep.all():
        return _Part(start, columns, values)
    kept_before = np.concatenate([[0], np.cumsum(keep)])
    return _Part(kept_before[start], columns[keep], values[keep])
