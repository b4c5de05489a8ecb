"""Linear rows over the inputs and outputs of a network, as a reader of properties finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray, sparse


@dataclass(frozen=True, eq=False)
class LinearRows:
    """Rows ``A (x, y) <= bound``.

    Attributes
    ----------
    starts, columns, values : A as compressed rows without zeros, the columns of a row in order: those of row k are the
        entries ``starts[k]`` to ``starts[k + 1]``.
    bound : (rows,).
    input_size, output_size : how the columns split.
    integral : (input_size,) which inputs take integers only, None for none.
    """

    starts: IntArray
    columns: IntArray
    values: FloatArray
    bound: FloatArray
    input_size: int
    output_size: int
    integral: BoolArray | None = None

    @classmethod
    def of(
        cls,
        entries: Sequence[tuple[Mapping[int, float], float]],
        input_size: int,
        output_size: int,
        integral: BoolArray | None = None,
    ) -> LinearRows:
        """Return the rows given as (coefficients by column, bound)."""
        sizes = np.array([len(coefficients) for coefficients, _ in entries], dtype=np.int64)
        columns = np.fromiter(chain.from_iterable(row for row, _ in entries), dtype=np.int64, count=int(sizes.sum()))
        values = np.fromiter(
            chain.from_iterable(row.values() for row, _ in entries), dtype=np.float64, count=int(sizes.sum())
        )
        bound = np.array([limit for _, limit in entries], dtype=np.float64)
        row = np.repeat(np.arange(sizes.size), sizes)
        return cls.of_triples(row, columns, values, bound, input_size, output_size, integral)

    @classmethod
    def of_triples(
        cls,
        row: IntArray,
        columns: IntArray,
        values: FloatArray,
        bound: FloatArray,
        input_size: int,
        output_size: int,
        integral: BoolArray | None = None,
    ) -> LinearRows:
        """Return the rows given as (row, column, value) of their entries, none twice."""
        order = np.lexsort((columns, row))
        order = order[values[order] != 0.0]
        starts = np.concatenate([[0], np.cumsum(np.bincount(row[order], minlength=bound.size))])
        return cls(starts, columns[order], values[order], bound, input_size, output_size, integral)

    @property
    def row(self) -> IntArray:
        """Row of every entry."""
        return np.repeat(np.arange(self.bound.size), np.diff(self.starts))

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """A itself."""
        shape = (self.bound.size, self.input_size + self.output_size)
        return sparse.csr_array((self.values, self.columns, self.starts), shape=shape)
