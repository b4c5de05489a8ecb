r"""What an engine maximises: the smallest normalised slack of a conjunction, as a function of input and output.

.. math:: t(x) = \min_i \frac{b_i - A_i x - B_i f(x)}{\nu_i}

A property's disjunct is satisfiable where some ``t >= 0``; a single row is any linear function of outputs and inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, sparse
from netopt.bounds.objectives import Objectives
from netopt.specification.property import Conjunction, stacked


@dataclass(frozen=True, slots=True, eq=False)
class SlackObjective:
    """The smallest of the slacks of `conjunction`, each divided by its norm.

    Attributes
    ----------
    conjunction : the rows ``A x + B y <= bound``.
    norm : (rows,) positive.
    """

    conjunction: Conjunction
    norm: FloatArray

    @classmethod
    def normalised(cls, conjunction: Conjunction) -> SlackObjective:
        """Return the objective whose rows are divided by the Euclidean norm of their coefficients (1 for a zero row).

        A conjunction without rows always holds: it counts as the row ``0 <= 0``.
        """
        return cls.all_normalised([conjunction])[0]

    @classmethod
    def all_normalised(cls, conjunctions: Sequence[Conjunction]) -> list[SlackObjective]:
        """Return the same for many conjunctions about one network, whose norms are computed together."""
        if not conjunctions:
            return []
        filled = [rows.with_a_row() for rows in conjunctions]
        norm = stacked(filled).norm
        ends = np.cumsum([0, *(rows.bound.size for rows in filled)]).tolist()
        return [cls(rows, norm[first:end]) for rows, first, end in zip(filled, ends[:-1], ends[1:], strict=True)]

    @classmethod
    def linear(cls, weights: FloatArray) -> SlackObjective:
        """Return the objective ``weights @ y``: one row, not normalised."""
        return cls(Conjunction(-weights[None, :], np.zeros(1)), np.ones(1))

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.norm.size

    def value(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return t at a batch of inputs (batch, n) and outputs (batch, m): (batch,)."""
        smallest: FloatArray = (self.conjunction.slack(x, y) / self.norm).min(axis=1)
        return smallest

    def over(self, output_map: sparse.csr_array, output_constant: FloatArray) -> tuple[sparse.csr_array, FloatArray]:
        """Return (matrix, bound) of the output part once y is ``output_map @ columns + output_constant``.

        The rows then read ``A x + matrix @ columns <= bound``.
        """
        rows = sparse.csr_array(self.conjunction.output_matrix)
        return sparse.csr_array(rows @ output_map), self.conjunction.bound - rows @ output_constant


def rows_of(objectives: Sequence[SlackObjective]) -> Objectives:
    """Return objectives as `netopt.bounds.phases` bounds them: the slacks of all rows, one below the other."""
    rows = stacked([objective.conjunction for objective in objectives])
    return Objectives(
        output_matrix=-rows.output_matrix,
        offset=rows.bound,
        norm=np.concatenate([objective.norm for objective in objectives]),
        owner=np.repeat(np.arange(len(objectives)), [objective.rows for objective in objectives]),
        input_matrix=None if rows.input_matrix is None else -rows.input_matrix,
    )
