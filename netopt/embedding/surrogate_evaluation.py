"""Whole points from decisions: networks are evaluated and equations solved in an order fixed once, for whole batches.

Integer columns are decisions, and so are continuous columns that networks read. Everything else follows where it can:
an output from its network, a column from an equation whose other columns are known. What is left over (`rest`) is for
a linear program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.embedding.surrogate_problem import Block, EmbeddedProblem

#: Feasibility tolerance: absolute, or relative to a row's side where that is above 1.
TOLERANCE = 1e-6
#: An equation defines a column only through a coefficient that is not tiny beside its others.
_PIVOT = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class _Equations:
    """Columns that follow from equations: ``point[columns] = (side - matrix @ point) / pivot``."""

    columns: IntArray
    matrix: sparse.csr_array
    side: FloatArray
    pivot: FloatArray

    def apply(self, points: FloatArray) -> None:
        points[:, self.columns] = (self.side - (self.matrix @ points.T).T) / self.pivot


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """Columns that follow from a network: those alone in some entries of y."""

    block: Block
    entries: IntArray
    columns: IntArray
    pivot: FloatArray

    def apply(self, points: FloatArray) -> None:
        outputs = self.block.outputs
        answers = self.block.answers(points)[:, self.entries]
        points[:, self.columns] = (answers - outputs.constant[self.entries]) / self.pivot


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """A batch of whole points.

    Attributes
    ----------
    points : (batch, columns).
    violation : (batch,) largest violation of a row, bound or network, relative to the row's side where that is above 1.
    firm_violation : (batch,) likewise without what mentions `Evaluator.rest`: no linear program can mend it.
    worth : (batch,) sign * objective.
    """

    points: FloatArray
    violation: FloatArray
    firm_violation: FloatArray
    worth: FloatArray

    def ranking(self, *, firm: bool = False) -> IntArray:
        """Return the indices best first: feasible before infeasible, then by worth."""
        violation = self.firm_violation if firm else self.violation
        return np.lexsort((-self.worth, np.where(violation <= TOLERANCE, 0.0, violation)))


class Evaluator:
    """Completes and judges points of a problem.

    Parameters
    ----------
    problem : its linear part is judged.
    blocks : the networks that are evaluated, dense or sparse.

    Attributes
    ----------
    decisions : continuous columns that networks read and nothing defines.
    rest : continuous columns that nothing defines.
    """

    def __init__(self, problem: EmbeddedProblem, blocks: tuple[Block, ...]) -> None:
        self.problem, self.blocks = problem, blocks
        self._model = problem.linear
        self._steps: list[_Equations | _Answers] = []
        self._known: BoolArray = self._model.integral.copy()
        picked = np.zeros_like(self._known)
        waiting = list(blocks)
        self._checked: list[Block] = []  # blocks with outputs that are not set to the answer
        self._follow_equations()
        while waiting:
            block = self._next_block(waiting)
            waiting.remove(block)
            unknown = self._reads(block) & ~self._known
            picked |= unknown
            self._known |= unknown
            self._define_outputs(block)
            self._follow_equations()
        self.decisions: IntArray = np.flatnonzero(picked)
        self.rest: IntArray = np.flatnonzero(~self._known)

    def _reads(self, block: Block) -> BoolArray:
        reads = np.zeros_like(self._known)
        reads[block.row.variables] = True
        reads[block.row.expressions.indices] = True
        return reads

    def _next_block(self, waiting: list[Block]) -> Block:
        """Return a network that no other one waiting feeds, with the fewest unknown inputs."""
        unknown = [self._reads(block) & ~self._known for block in waiting]
        written = [self._writes(block) for block in waiting]
        fed = [
            any((unknown[k] & written[other]).any() for other in range(len(waiting)) if other != k)
            for k in range(len(waiting))
        ]
        return waiting[min(range(len(waiting)), key=lambda k: (fed[k], int(unknown[k].sum())))]

    def _writes(self, block: Block) -> BoolArray:
        writes = np.zeros_like(self._known)
        matrix = block.outputs.matrix
        writes[matrix.indices] = True
        return writes & ~self._known

    def _define_outputs(self, block: Block) -> None:
        matrix = block.outputs.matrix
        entries = np.flatnonzero(np.diff(matrix.indptr) == 1)
        columns = matrix.indices[matrix.indptr[:-1][entries]].astype(np.int64)
        fresh = ~self._known[columns]
        columns, first = np.unique(columns[fresh], return_index=True)
        entries = entries[fresh][first]
        if columns.size < matrix.shape[0]:
            self._checked.append(block)
        if columns.size:
            pivot = matrix.data[matrix.indptr[:-1][entries]]
            self._steps.append(_Answers(block, entries, columns, pivot))
            self._known[columns] = True

    def _follow_equations(self) -> None:
        """Define columns by equations with one unknown, as long as there are any."""
        model = self._model
        equations = np.flatnonzero(model.row_lower == model.row_upper)
        matrix = model.matrix[equations]
        largest = abs(matrix).max(axis=1).toarray().ravel() if matrix.nnz else np.zeros(equations.size)
        owner = np.repeat(np.arange(equations.size), np.diff(matrix.indptr))
        while True:
            free = ~self._known[matrix.indices] & (matrix.data != 0.0)
            counts = np.bincount(owner[free], minlength=equations.size)
            solvable = free & (counts[owner] == 1) & (np.abs(matrix.data) >= _PIVOT * largest[owner])
            columns, first = np.unique(matrix.indices[solvable].astype(np.int64), return_index=True)
            if not columns.size:
                return
            place = np.flatnonzero(solvable)[first]
            rows = owner[place]
            others = matrix[rows].copy()
            others.data[np.isin(others.indices, columns)] = 0.0
            side = model.row_lower[equations[rows]]
            self._steps.append(_Equations(columns, sparse.csr_array(others), side, matrix.data[place]))
            self._known[columns] = True

    def evaluate(self, points: FloatArray) -> Evaluated:
        """Return points whose integer columns and `decisions` (and `rest`) are given, the others filled in."""
        whole = np.array(points, dtype=np.float64)
        for step in self._steps:
            step.apply(whole)
        worth = self.problem.sign * (whole @ self._model.objective + self._model.objective_constant)
        every, firm = self._violations(whole)
        return Evaluated(whole, every, firm, worth)

    def _violations(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the largest violations with and without what mentions `rest`, (batch,) each."""
        model = self._model
        activity = (model.matrix @ points.T).T
        rows = _excess(activity, model.row_lower, model.row_upper)
        bounds = _excess(points, model.column_lower, model.column_upper).max(axis=1, initial=0.0)
        outputs = [_excess(b.outputs.evaluate(points), a := b.answers(points), a) for b in self._checked]
        every = [part.max(axis=1, initial=0.0) for part in (rows, *outputs)]
        if not self.rest.size:
            firm = every
        else:
            kept = [self._is_firm(m) for m in (model.matrix, *(block.outputs.matrix for block in self._checked))]
            firm = [p[:, k].max(axis=1, initial=0.0) for p, k in zip((rows, *outputs), kept, strict=True)]
        return tuple(np.nan_to_num(np.max([bounds, *parts], axis=0), nan=np.inf) for parts in (every, firm))

    def _is_firm(self, matrix: sparse.csr_array) -> BoolArray:
        """Return which rows mention no column of `rest`."""
        touched = np.zeros(matrix.shape[0], dtype=bool)
        owner = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        touched[owner[~self._known[matrix.indices]]] = True
        return ~touched


def _excess(values: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Return by how much `values` leave [lower, upper], relative where a side is above 1."""
    below = (lower - values) / np.maximum(1.0, np.abs(np.where(np.isfinite(lower), lower, 1.0)))
    above = (values - upper) / np.maximum(1.0, np.abs(np.where(np.isfinite(upper), upper, 1.0)))
    return np.maximum(below, above)
