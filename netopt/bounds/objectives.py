r"""Several objectives over one network's outputs and inputs, and combinations of their rows.

.. math:: t_o(x) = \min_{i \in o} \frac{c_i + C_i f(x) + D_i x}{\nu_i} \le
          \frac{\sum_i w_i (c_i + C_i f(x) + D_i x)}{\sum_i w_i \nu_i} \quad (w \ge 0,\ w \ne 0),

so that an upper bound of any non-negative combination of an objective's rows bounds the objective. Where the objectives
are *conditional*, an objective is its first row on the set where its other rows are non-negative; the same combinations
with ``w_1 = 1`` bound it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netopt.arrays import FloatArray, IntArray, sparse
from netopt.bounds.backward import Rows
from netopt.bounds.propagation import Propagation
from netopt.bounds.rounding import TINY, gamma, sound_upper
from netopt.errors import InputError
from netopt.network.network import INPUT


@dataclass(frozen=True, eq=False)
class Objectives:
    """d objectives, the rows of one below those of another.

    Attributes
    ----------
    output_matrix, input_matrix : (rows, m), and (rows, n) CSR or None when no row mentions an input.
    offset, norm : (rows,); the norms are positive.
    owner : (rows,) the objective of each row: 0 … d - 1, ascending, each at least once.
    conditional : whether rows but an objective's first are conditions on the points it is about.

    Raises
    ------
    InputError
        Shapes do not fit, a norm is not positive, or an objective has no row.
    """

    output_matrix: FloatArray
    offset: FloatArray
    norm: FloatArray
    owner: IntArray
    input_matrix: sparse.csr_array | None = None
    conditional: bool = False

    def __post_init__(self) -> None:
        rows = len(self.output_matrix)
        fits = self.offset.shape == self.norm.shape == self.owner.shape == (rows,)
        if not fits or (self.input_matrix is not None and self.input_matrix.shape[0] != rows):
            raise InputError(f"{rows} rows over the outputs do not fit their offsets, norms, owners or input parts")
        if not (self.norm > 0.0).all():
            raise InputError("the norm of every row has to be positive")
        steps = np.diff(self.owner)
        if rows == 0 or self.owner[0] != 0 or (steps < 0).any() or (steps > 1).any():
            raise InputError("objectives are numbered from 0, in order, and each needs a row")

    @classmethod
    def separate(cls, output_matrix: FloatArray, input_matrix: sparse.csr_array | None = None) -> Objectives:
        """Return an objective for each row of ``output_matrix @ y + input_matrix @ x``."""
        count = len(output_matrix)
        return cls(output_matrix, np.zeros(count), np.ones(count), np.arange(count), input_matrix)

    @property
    def count(self) -> int:
        """Number of objectives d."""
        return int(self.owner[-1]) + 1

    @cached_property
    def width(self) -> int:
        """Most rows of an objective."""
        return int(np.bincount(self.owner).max())

    @cached_property
    def table(self) -> IntArray:
        """Rows of every objective, (d, width); -1 where it has fewer."""
        place = np.arange(self.owner.size) - np.searchsorted(self.owner, self.owner)
        table = np.full((self.count, self.width), -1, dtype=np.int64)
        table[self.owner, place] = np.arange(self.owner.size)
        return table

    @cached_property
    def padded(self) -> IntArray:
        """The same; where an objective has fewer rows, its first stands in."""
        return np.where(self.table >= 0, self.table, self.table[:, :1])

    def combine(self, state: Propagation, objective: IntArray, weight: FloatArray) -> Rows:
        """Return the rows ``sum_i w_i (c_i + C_i y + D_i x)`` with ``w_i = weight_i / norm_i``.

        Parameters
        ----------
        state : bounds of the network's nodes, which the rounding errors depend on.
        objective, weight : (p,) and (p, width), the latter non-negative; where the objective has no row it counts
            nothing.
        """
        chosen = self.table[objective]
        scaled = np.where(chosen >= 0, weight, 0.0) / self.norm[chosen]
        # One rounding for each product and sum; w itself may be anything. Twice that covers the rounding of the error.
        unit = gamma(2 * self.width + 2)
        coefficients = {state.network.output: _product(scaled, self.output_matrix, chosen)}
        constant = np.einsum("pr,pr->p", scaled, self.offset[chosen])
        error = unit * np.einsum("pr,pr->p", scaled, np.abs(self.offset[chosen]))
        error += gamma(2 * state.terms) * np.abs(constant)
        size = _product(scaled, np.abs(self.output_matrix), chosen)
        reach = state.reach(state.network.output)[0]
        error += unit * (size @ reach) + 2.0 * self.width * TINY * (1.0 + reach.sum())
        parts = self.inputs_of(objective)
        if parts is not None:
            coefficients[INPUT] = np.einsum("pr,prk->pk", scaled, parts)
            error += unit * (np.einsum("pr,prk->pk", scaled, np.abs(parts)) @ state.reach(INPUT)[0])
        return Rows(coefficients, constant, error)

    def inputs_of(self, objective: IntArray) -> FloatArray | None:
        """Return the input parts of the `padded` rows of objectives (p,), (p, width, n); None when there are none."""
        if self.input_matrix is None:
            return None
        chosen = self.padded[objective]
        rows: FloatArray = self.input_matrix[chosen.ravel()].toarray().reshape(*chosen.shape, -1)
        return rows

    def without_padding(self, objective: IntArray, weight: FloatArray) -> FloatArray:
        """Return weights (p, width) of `padded` rows with those of stand-ins put on the first rows."""
        missing = self.table[objective] < 0
        result = np.where(missing, 0.0, weight)
        result[:, 0] += np.where(missing, weight, 0.0).sum(axis=1)
        return result

    def bound(self, objective: IntArray, weight: FloatArray, upper: FloatArray) -> FloatArray:
        """Return bounds of the objectives, (p,), from bounds of their combined rows."""
        if self.conditional:
            return upper
        chosen = self.table[objective]
        norm = self.norm[chosen]
        total = ((np.where(chosen >= 0, weight, 0.0) / norm) * norm).sum(axis=1)
        loose = 4.0 * gamma(self.width + 4)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value = upper / total
            value = value + loose * np.abs(value)
        return np.where(total > 0.0, sound_upper(value), np.inf)


def _product(weight: FloatArray, matrix: FloatArray, rows: IntArray) -> FloatArray:
    """Return ``sum_i weight[p, i] matrix[rows[p, i]]``, (p, columns)."""
    if rows.shape[1] == 1:
        single: FloatArray = weight * matrix[rows[:, 0]]
        return single
    total: FloatArray = np.einsum("pr,prk->pk", weight, matrix[rows])
    return total
