r"""What the attacks maximise: for each disjunct, the smallest slack of its rows, each divided by the row's norm.

.. math:: t_d(x) = \min_{i \in d} (b_i - A_i x - B_i f(x)) / \nu_i
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from netopt.arrays import FloatArray, IntArray, sparse
from netopt.network.gradient import value_and_gradient
from netopt.network.network import Network
from netopt.network.single import SINGLE
from netopt.specification.property import Conjunction, stacked


@dataclass(frozen=True, slots=True, eq=False)
class SlackBatch:
    """The rows of several disjuncts, one below the other.

    Attributes
    ----------
    output_matrix : (rows, m), divided by the rows' norms.
    input_matrix : (rows, n) CSR divided likewise, or None.
    bound : (rows,), divided likewise.
    start : (disjuncts,) first row of each disjunct; none is empty.
    owner : (rows,) disjunct of each row.
    """

    output_matrix: FloatArray
    input_matrix: sparse.csr_array | None
    bound: FloatArray
    start: IntArray
    owner: IntArray

    @classmethod
    def of(cls, disjuncts: Sequence[Conjunction]) -> SlackBatch:
        """Return the normalised rows of some disjuncts; one without rows always holds and counts as ``0 <= 0``."""
        filled = [disjunct.with_a_row() for disjunct in disjuncts]
        return cls.divided(filled, stacked(filled).norm)

    @classmethod
    def divided(cls, disjuncts: Sequence[Conjunction], norm: FloatArray) -> SlackBatch:
        """Return the rows of some disjuncts, none of them empty, divided by `norm` (rows,)."""
        rows, scale = stacked(disjuncts), 1.0 / norm
        sizes = np.array([disjunct.bound.size for disjunct in disjuncts])
        inputs = rows.input_matrix
        return cls(
            output_matrix=rows.output_matrix * scale[:, None],
            input_matrix=None if inputs is None else sparse.csr_array(sparse.diags_array(scale) @ inputs),
            bound=rows.bound * scale,
            start=np.cumsum(sizes) - sizes,
            owner=np.repeat(np.arange(sizes.size), sizes),
        )

    @classmethod
    def linear(cls, weights: FloatArray) -> SlackBatch:
        """Return the objective ``weights @ y``, not normalised, as a single disjunct."""
        zero = np.zeros(1, dtype=np.int64)
        return cls(-weights[None, :], None, np.zeros(1), zero, zero)

    def single(self) -> SlackBatch:
        """Return the rows in single precision, for `netopt.network.single.single_precision` networks."""
        rows = None if self.input_matrix is None else self.input_matrix.astype(SINGLE)
        return replace(
            self,
            output_matrix=self.output_matrix.astype(SINGLE),
            input_matrix=rows,
            bound=self.bound.astype(SINGLE),
        )

    @property
    def disjuncts(self) -> int:
        """Number of disjuncts."""
        return self.start.size

    def slack(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return every row's slack at a batch: (batch, rows)."""
        value = y @ self.output_matrix.T
        if self.input_matrix is not None:
            value = value + (self.input_matrix @ x.T).T
        return self.bound - value

    def values(self, network: Network, x: FloatArray) -> FloatArray:
        """Return t of every disjunct at a batch: (batch, disjuncts)."""
        return self._smallest(self.slack(x, network.forward(x)))

    def _smallest(self, slack: FloatArray) -> FloatArray:
        return np.asarray(np.minimum.reduceat(slack, self.start, axis=1))

    def ascent(
        self, network: Network, x: FloatArray, target: IntArray, spread: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return t of every disjunct and, for each point, an ascent direction of its target disjunct.

        Parameters
        ----------
        target : (batch,) the disjunct each point climbs.
        spread : (batch,) in [0, 1]: 0 follows the smallest slack alone, 1 all violated rows alike.

        Returns
        -------
        values : (batch, disjuncts).
        gradient : (batch, n).
        """
        seen: list[FloatArray] = []

        def cotangent(y: FloatArray) -> FloatArray:
            slack = self.slack(x, y)
            own = np.where(self.owner == target[:, None], slack, np.inf)
            weight = np.where(own < 0.0, spread[:, None], 0.0)
            weight[np.arange(x.shape[0]), own.argmin(axis=1)] = 1.0
            seen.extend((self._smallest(slack), weight))
            return -(weight @ self.output_matrix)

        _, gradient = value_and_gradient(network, x, cotangent)
        values, weight = seen
        if self.input_matrix is not None:
            gradient = gradient - (self.input_matrix.T @ weight.T).T
        return values, gradient
