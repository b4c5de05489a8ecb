"""Models of highspy: columns and rows are passed as arrays, all at once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar
from weakref import proxy

import highspy
import numpy as np
from scipy import sparse

from formulations.milp import MilpModel
from netopt.arrays import FloatArray, IntArray
from netopt.embedding.adapter import Inserted, Insertion, ModelAdapter, VariableBounds, number_terms
from netopt.embedding.extraction import Extraction
from netopt.embedding.forms import Terms
from netopt.embedding.names import reserve_name
from netopt.errors import InputError, SolverFailureError


class HighspyModel(ModelAdapter):
    """Adapter of a ``highspy.Highs``."""

    library: ClassVar[str] = "highspy"
    row_kinds: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, model: highspy.Highs) -> None:
        self.model = model

    def prepare(self) -> None:
        """Do nothing: a Highs object can be changed at any time."""

    def package(self, variables: np.ndarray) -> Any:
        return variables.view(highspy.HighspyArray)

    def split(self, entry: Any) -> Terms:
        if isinstance(entry, highspy.highs.highs_var):
            if entry.highs is not proxy(self.model):
                raise InputError("a variable of x or y belongs to another Highs object; take one of this model")
            return Terms((entry.index,), (1.0,), 0.0)
        if isinstance(entry, highspy.highs.highs_linear_expression):
            if entry.bounds is not None:
                raise InputError("an entry of x or y is a constraint; pass the expression without its bounds")
            return Terms(tuple(entry.idxs), tuple(entry.vals), float(entry.constant or 0.0))
        return number_terms(entry, self.library)

    def key(self, variable: int) -> Hashable:
        return variable

    def bounds(self, variables: Sequence[int]) -> VariableBounds:
        columns, back = np.unique(np.asarray(variables, dtype=np.int32), return_inverse=True)
        if not columns.size:
            return VariableBounds(np.empty(0), np.empty(0))
        status, _, _, lower, upper, _ = self.model.getCols(columns.size, columns)
        _check(status, "getCols")
        return VariableBounds(np.asarray(lower)[back], np.asarray(upper)[back])

    def values(self, variables: Sequence[int]) -> FloatArray:
        solution = self.model.getSolution()
        if not solution.value_valid:
            raise InputError("the highspy model has no solution; call run() first")
        return np.asarray(solution.col_value)[np.asarray(variables, dtype=np.int64)]

    def reserve_name(self, name: str | None, stem: str = "network") -> str:
        return reserve_name(self.model, name, stem)

    def insert(self, insertion: Insertion) -> Inserted:
        first_column, first_row = self.model.getNumCol(), self.model.getNumRow()
        place = np.concatenate(
            [
                np.asarray(insertion.variables, dtype=np.int32),
                np.arange(insertion.new, dtype=np.int32) + np.int32(first_column),
            ]
        )
        self._add_columns(insertion, place[insertion.given :])
        self._add_rows(insertion, place)
        column_names, row_names = insertion.column_names(), insertion.row_names()
        for column, name in enumerate(column_names, start=first_column):
            self.model.passColName(column, name)
        for row, name in enumerate(row_names, start=first_row):
            self.model.passRowName(row, name)
        rows = np.arange(first_row, first_row + len(row_names), dtype=np.int32)
        return _HighspyInserted(self.model, place, place[insertion.given :], rows)

    def extract(self, without: Sequence[Inserted], mentioned: Sequence[Any]) -> Extraction:
        if self.model.getHessianNumNz():
            raise InputError("the highspy model has a quadratic objective; a surrogate solve takes linear models only")
        content = self.model.getLp()
        count, lower, upper = content.num_col_, np.array(content.row_lower_), np.array(content.row_upper_)
        kinds = np.array([int(kind) for kind in content.integrality_] or [0] * count)
        if (kinds > int(highspy.HighsVarType.kInteger)).any():
            raise InputError(
                "the highspy model holds semi-continuous or implicitly integer columns; declare them otherwise"
            )
        kept = np.ones(lower.size, dtype=bool)
        for inserted in without:
            assert isinstance(inserted, _HighspyInserted)
            kept[inserted.rows] = False
        matrix = _csr(content.a_matrix_, lower.size, count)
        model = MilpModel(
            objective=np.array(content.col_cost_, dtype=np.float64),
            objective_constant=float(content.offset_),
            maximize=content.sense_ == highspy.ObjSense.kMaximize,
            matrix=matrix[np.flatnonzero(kept)],
            row_lower=lower[kept],
            row_upper=upper[kept],
            column_lower=np.array(content.col_lower_, dtype=np.float64),
            column_upper=np.array(content.col_upper_, dtype=np.float64),
            integral=kinds == int(highspy.HighsVarType.kInteger),
        )
        return Extraction(model, tuple(range(count)), {column: column for column in range(count)})

    def load(self, variables: Sequence[int], values: FloatArray) -> None:
        """Set the solution, which `Highs.val` reads and the next run starts from."""
        full = np.zeros(self.model.getNumCol())
        full[np.asarray(variables, dtype=np.int64)] = values
        solution = highspy.HighsSolution()
        solution.col_value = full
        _check(self.model.setSolution(solution), "setSolution")

    def _add_columns(self, insertion: Insertion, columns: IntArray) -> None:
        model, first, count = insertion.model, insertion.given, columns.size
        nothing = np.empty(0, dtype=np.int32)
        lower, upper = model.column_lower[first:], model.column_upper[first:]
        _check(self.model.addCols(count, np.zeros(count), lower, upper, 0, nothing, nothing, np.empty(0)), "addCols")
        integral = columns[model.integral[first:]]
        if integral.size:
            kinds = np.full(integral.size, highspy.HighsVarType.kInteger, dtype=object)
            _check(self.model.changeColsIntegrality(integral.size, integral, kinds), "changeColsIntegrality")

    def _add_rows(self, insertion: Insertion, place: IntArray) -> None:
        model = insertion.model
        matrix = model.matrix
        _check(
            self.model.addRows(
                model.row_count,
                model.row_lower,
                model.row_upper,
                matrix.nnz,
                matrix.indptr[:-1].astype(np.int32),
                place[matrix.indices],
                matrix.data,
            ),
            "addRows",
        )


class _HighspyInserted(Inserted):
    """Columns and rows of a Highs object, by index."""

    def __init__(self, model: highspy.Highs, place: IntArray, columns: IntArray, rows: IntArray) -> None:
        self.model, self.place, self.columns, self.rows = model, place, columns, rows

    def variables(self, columns: IntArray) -> list[Any]:
        return [highspy.highs.highs_var(column, self.model) for column in self.place[columns].tolist()]

    def created(self) -> list[Any]:
        return list(self.columns.tolist())

    def remove(self) -> None:
        """Free the rows and fix the columns at 0; deleting them would renumber what the user added later."""
        free, zero = np.full(self.rows.size, np.inf), np.zeros(self.columns.size)
        _check(self.model.changeRowsBounds(self.rows.size, self.rows, -free, free), "changeRowsBounds")
        _check(self.model.changeColsBounds(self.columns.size, self.columns, zero, zero), "changeColsBounds")


def _csr(matrix: highspy.HighsSparseMatrix, rows: int, columns: int) -> sparse.csr_array:
    parts = (np.array(matrix.value_), np.array(matrix.index_), np.array(matrix.start_))
    if matrix.format_ == highspy.MatrixFormat.kColwise:
        return sparse.csr_array(sparse.csc_array(parts, shape=(rows, columns)))
    return sparse.csr_array(parts, shape=(rows, columns))


def _check(status: highspy.HighsStatus, call: str) -> None:
    if status == highspy.HighsStatus.kError:
        raise SolverFailureError(f"HiGHS refused {call}; its log says why")
