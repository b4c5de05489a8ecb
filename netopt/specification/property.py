"""What is asked of a network: whether an input of a domain, with its output, satisfies one of several conjunctions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, FloatArray, sparse
from netopt.checks import as_numbers, check_kind
from netopt.errors import InputError
from netopt.specification.domain import Domain


@dataclass(frozen=True, slots=True, eq=False)
class Conjunction:
    """Rows ``input_matrix @ x + output_matrix @ y <= bound``, all of which must hold.

    Attributes
    ----------
    output_matrix : (rows, m) float64.
    bound : (rows,) float64.
    input_matrix : (rows, n) CSR, or None when no row mentions an input.
    """

    output_matrix: FloatArray
    bound: FloatArray
    input_matrix: sparse.csr_array | None = None

    def __post_init__(self) -> None:
        if not _is_float64(self.output_matrix):
            object.__setattr__(self, "output_matrix", as_numbers(self.output_matrix, "the rows"))
        if not _is_float64(self.bound):
            object.__setattr__(self, "bound", as_numbers(self.bound, "the bounds of the rows"))
        if self.output_matrix.ndim != 2 or self.bound.shape != self.output_matrix.shape[:1]:
            raise InputError(
                f"a conjunction needs a matrix (rows, outputs) and a bound (rows,); shapes {self.output_matrix.shape}"
                f" and {self.bound.shape} were given"
            )

    def slack(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return ``bound - (A x + B y)`` at a batch, (batch, rows): satisfied where every entry is >= 0."""
        value = y @ self.output_matrix.T
        if self.input_matrix is not None:
            value = value + (self.input_matrix @ x.T).T
        return self.bound - value

    def satisfied(self, x: FloatArray, y: FloatArray, tolerance: float = 0.0) -> BoolArray:
        """Return which members of a batch satisfy every row within `tolerance`, (batch,)."""
        return np.asarray((self.slack(x, y) >= -tolerance).all(axis=1))

    @property
    def norm(self) -> FloatArray:
        """Euclidean norm of each row's coefficients, (rows,); 1 for a row without any."""
        squares = np.einsum("rm,rm->r", self.output_matrix, self.output_matrix)
        if self.input_matrix is not None:
            squares = squares + np.asarray(self.input_matrix.power(2).sum(axis=1)).ravel()
        norm = np.sqrt(squares)
        return np.where(norm > 0.0, norm, 1.0)

    def with_a_row(self) -> Conjunction:
        """Return the conjunction itself, or ``0 <= 0`` for one without rows: both always hold."""
        if self.bound.size:
            return self
        return Conjunction(np.zeros((1, self.output_matrix.shape[1])), np.zeros(1))


def _is_float64(values: object) -> bool:
    """Return whether nothing needs to be converted: properties may have very many rows."""
    return type(values) is np.ndarray and values.dtype == np.float64


def stacked(conjunctions: Sequence[Conjunction]) -> Conjunction:
    """Return the rows of several conjunctions about one network, at least one, one below the other."""
    inputs = None
    width = next((rows.input_matrix.shape[1] for rows in conjunctions if rows.input_matrix is not None), None)
    if width is not None:
        parts = [
            sparse.csr_array((rows.bound.size, width)) if rows.input_matrix is None else rows.input_matrix
            for rows in conjunctions
        ]
        inputs = sparse.csr_array(sparse.vstack(parts, format="csr"))
    return Conjunction(
        np.concatenate([rows.output_matrix for rows in conjunctions]),
        np.concatenate([rows.bound for rows in conjunctions]),
        inputs,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A domain and the disjunction asked on it: x in domain and (disjuncts[0] or disjuncts[1] or ...)."""

    domain: Domain
    disjuncts: tuple[Conjunction, ...]

    def __post_init__(self) -> None:
        check_kind(self.domain, Domain, "the domain of a case", "give a Box, an L1Ball, a Polytope or IntegerPoints")
        if isinstance(self.disjuncts, Conjunction):
            raise InputError("the disjuncts of a case are one Conjunction; give a tuple of them")


@dataclass(frozen=True, slots=True, eq=False)
class Property:
    """A disjunction of cases: `sat` when one of them has a point, `unsat` when none has.

    Attributes
    ----------
    cases : the cases; none means `unsat`.
    input_size, output_size : lengths n and m the rows are written for.
    """

    cases: tuple[Case, ...]
    input_size: int
    output_size: int

    def satisfied(self, x: FloatArray, y: FloatArray, tolerance: float = 0.0) -> BoolArray:
        """Return which pairs of a batch lie in some case, domain included, (batch,)."""
        result = np.zeros(x.shape[0], dtype=bool)
        for case in self.cases:
            inside = case.domain.contains(x, tolerance)
            if inside.any():
                held = [conjunction.satisfied(x, y, tolerance) for conjunction in case.disjuncts]
                result |= inside & np.logical_or.reduce(held)
        return result
