"""What is asked of a network: whether an input of a domain, with its output, satisfies one of several conjunctions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, FloatArray, sparse
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

    def slack(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return ``bound - (A x + B y)`` at a batch, (batch, rows): satisfied where every entry is >= 0."""
        value = y @ self.output_matrix.T
        if self.input_matrix is not None:
            value = value + (self.input_matrix @ x.T).T
        return self.bound - value

    def satisfied(self, x: FloatArray, y: FloatArray, tolerance: float = 0.0) -> BoolArray:
        """Return which members of a batch satisfy every row within `tolerance`, (batch,)."""
        return np.asarray((self.slack(x, y) >= -tolerance).all(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A domain and the disjunction asked on it: x in domain and (disjuncts[0] or disjuncts[1] or ...)."""

    domain: Domain
    disjuncts: tuple[Conjunction, ...]


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
