"""The rows of a property as one table, and combinations of a disjunct's rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from netopt.arrays import FloatArray, IntArray
from netopt.network.network import INPUT, Network
from netopt.proof.arithmetic import TINY, dot, raised, relative
from netopt.proof.carry import Rows, Sizes
from netopt.specification.property import Conjunction, Property


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """Slacks ``bound - outputs @ y - inputs @ x`` of all disjuncts, one below another.

    Attributes
    ----------
    outputs, inputs, bound : (R, m), (R, n) CSR or None, (R,).
    norm : (R,) Euclidean norms of the coefficients, which weights are relative to.
    first : (goals + 1,) the first row of every goal, and the number of rows.
    goal : case -> number of its first disjunct among all goals; the number of goals at the end.
    """

    outputs: FloatArray
    inputs: sparse.csr_array | None
    bound: FloatArray
    norm: FloatArray
    first: IntArray
    goal: IntArray

    @classmethod
    def of(cls, prop: Property) -> Questions:
        """Return the table of a property; a disjunct without rows, which always holds, counts as ``0 >= 0``."""
        every = [_with_rows(disjunct, prop.output_size) for case in prop.cases for disjunct in case.disjuncts]
        outputs = np.concatenate([np.empty((0, prop.output_size)), *(rows.output_matrix for rows in every)])
        inputs = None
        if any(rows.input_matrix is not None for rows in every):
            parts = [
                sparse.csr_array((rows.bound.size, prop.input_size)) if rows.input_matrix is None else rows.input_matrix
                for rows in every
            ]
            inputs = sparse.csr_array(sparse.vstack(parts, format="csr"))
        squares = (outputs**2).sum(axis=1)
        if inputs is not None:
            squares = squares + np.asarray(inputs.power(2).sum(axis=1)).ravel()
        return cls(
            outputs,
            inputs,
            np.concatenate([np.empty(0), *(rows.bound for rows in every)]),
            np.where(squares > 0.0, np.sqrt(squares), 1.0),
            np.cumsum([0, *(rows.bound.size for rows in every)]),
            np.cumsum([0, *(len(case.disjuncts) for case in prop.cases)]),
        )

    def goals(self, case: IntArray, disjunct: IntArray) -> IntArray:
        """Return the numbers of goals; -1 for those that the property does not have."""
        number = self.goal[case] + disjunct
        return np.where((disjunct >= 0) & (number < self.goal[case + 1]), number, -1)

    def each(self, goal: IntArray) -> tuple[IntArray, IntArray]:
        """Return every row of goals (k,): the position in `goal` and the row."""
        counts = self.first[goal + 1] - self.first[goal]
        owner = np.repeat(np.arange(goal.size), counts)
        inside = np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)
        return owner, self.first[goal][owner] + inside

    def single(self, network: Network, row: IntArray) -> Rows:
        """Return the slacks of some rows (p,), exactly."""
        rows = Rows({network.output: -self.outputs[row]}, self.bound[row].copy(), np.zeros(row.size))
        if self.inputs is not None:
            rows.coefficients[INPUT] = -self.inputs[row].toarray()
        return rows

    def shares(self, goal: int, weights: FloatArray) -> list[tuple[int, float]]:
        """Return the rows of a goal and what `combined` takes of each."""
        first, last = int(self.first[goal]), int(self.first[goal + 1])
        share = weights[: last - first] / self.norm[first : first + weights.size][: last - first]
        return [(first + k, float(value)) for k, value in enumerate(share)]

    def combined(self, network: Network, goal: IntArray, weights: FloatArray, sizes: Sizes) -> Rows:
        """Return the sums of the slacks of goals (p,) with the weights (p, rows) of their normalised rows."""
        inputs = self.inputs is not None
        outputs, size = np.zeros((goal.size, network.output_size)), np.zeros((goal.size, network.output_size))
        about, about_size = np.zeros((2, goal.size, network.input_size if inputs else 0))
        constant, constant_size = np.zeros(goal.size), np.zeros(goal.size)
        for k in range(weights.shape[1]):
            row = np.minimum(self.first[goal] + k, self.first[goal + 1] - 1)
            share = np.where(self.first[goal] + k < self.first[goal + 1], weights[:, k] / self.norm[row], 0.0)
            outputs -= share[:, None] * self.outputs[row]
            size += share[:, None] * np.abs(self.outputs[row])
            constant += share * self.bound[row]
            constant_size += share * np.abs(self.bound[row])
            if self.inputs is not None:
                part = self.inputs[row].toarray()
                about -= share[:, None] * part
                about_size += share[:, None] * np.abs(part)
        rows = Rows({network.output: outputs}, constant, np.zeros(goal.size))
        if inputs:
            rows.coefficients[INPUT] = about
        terms = weights.shape[1] + network.output_size + network.input_size + 2
        for amount, name in ((size, network.output), (about_size, INPUT)):
            if amount.shape[1]:
                reach = sizes.of(sizes.reach, name)
                lost = raised(dot(amount, reach), terms) * relative(terms) + raised(reach.sum(axis=1), terms) * TINY
                rows.add_error(2.0 * lost * terms)
        rows.add_error(2.0 * relative(terms) * raised(constant_size, terms) + terms * TINY)
        return rows


def _with_rows(rows: Conjunction, outputs: int) -> Conjunction:
    return rows if rows.bound.size else Conjunction(np.zeros((1, outputs)), np.zeros(1))
