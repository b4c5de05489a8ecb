"""Entries of x and y as affine functions of the user's own variables."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from netopt.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Terms:
    """One scalar entry: ``sum(coefficients * variables) + constant``."""

    variables: Sequence[Any]
    coefficients: Sequence[float]
    constant: float


@dataclass(frozen=True, slots=True, eq=False)
class AffineForms:
    """A vector of affine functions of distinct variables: ``matrix @ variables + constant``.

    Attributes
    ----------
    variables : the vendor's variables, each once.
    matrix : (entries, len(variables)) CSR without stored zeros.
    constant : (entries,).
    """

    variables: tuple[Any, ...]
    matrix: sparse.csr_array
    constant: FloatArray

    def rows(self, first: int, last: int) -> AffineForms:
        """Return the entries ``first <= k < last`` over the same variables."""
        return AffineForms(self.variables, self.matrix[first:last], self.constant[first:last])

    def evaluate(self, values: FloatArray) -> FloatArray:
        """Return the entries where the variables take `values`, (variables,) or (batch, variables)."""
        result: FloatArray = (self.matrix @ values.T).T + self.constant
        return result


def affine_forms(entries: Iterable[Any], split: Callable[[Any], Terms], key: Callable[[Any], Hashable]) -> AffineForms:
    """Return `entries` over their distinct variables; `key` tells variables apart."""
    position: dict[Hashable, int] = {}
    variables: list[Any] = []
    pointer, columns = [0], list[int]()
    coefficients, constants = list[float](), list[float]()
    for entry in entries:
        terms = split(entry)
        for variable in terms.variables:
            column = position.setdefault(key(variable), len(variables))
            if column == len(variables):
                variables.append(variable)
            columns.append(column)
        coefficients.extend(terms.coefficients)
        constants.append(terms.constant)
        pointer.append(len(columns))
    data = np.asarray(coefficients, dtype=np.float64)
    shape = (len(constants), len(variables))
    matrix = sparse.csr_array((data, np.asarray(columns, dtype=np.int32), np.asarray(pointer)), shape=shape)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return AffineForms(tuple(variables), matrix, np.asarray(constants, dtype=np.float64))
