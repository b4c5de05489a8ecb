r"""Mixed-integer linear models as arrays.

.. math:: \min\; c^T x + c_0 \quad\text{s.t.}\quad b_l \le A x \le b_u,\; l \le x \le u,\; x_j \in \mathbb{Z}\ (j \in I)

plus SOS1 sets (at most one column non-zero) and indicator rows (a row that holds when a binary has a given value).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from formulations.errors import FormulationError
from formulations.row_blocks import VANISHED as VANISHED  # these names are this module's, too
from formulations.row_blocks import Coefficients as Coefficients
from formulations.row_blocks import FloatArray as FloatArray
from formulations.row_blocks import IntArray as IntArray
from formulations.row_blocks import RowBlocks, filled
from formulations.row_blocks import Term as Term

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NameBlock:
    """Names of consecutive columns or rows: ``prefix.i``, or ``prefix.i.j`` where `index` has two columns."""

    prefix: str
    index: IntArray

    def names(self) -> list[str]:
        """Return one readable name for each member."""
        if self.index.ndim == 1:
            return [f"{self.prefix}.{i}" for i in self.index.tolist()]
        return [".".join([self.prefix, *map(str, parts)]) for parts in self.index.tolist()]


@dataclass(frozen=True, slots=True)
class Sos1Sets:
    """SOS1 sets in CSR layout: set k holds ``columns[start[k]:start[k + 1]]``, at most one of them non-zero."""

    start: IntArray
    columns: IntArray
    weights: FloatArray

    @property
    def count(self) -> int:
        """Number of sets."""
        return self.start.size - 1


@dataclass(frozen=True, slots=True)
class IndicatorRows:
    """Rows ``lower <= matrix @ x <= upper`` that hold when ``x[binary] == active``."""

    binary: IntArray
    active: BoolArray
    matrix: sparse.csr_array
    lower: FloatArray
    upper: FloatArray

    @property
    def count(self) -> int:
        """Number of indicator rows."""
        return self.binary.size


@dataclass(frozen=True, slots=True)
class MilpModel:
    """A mixed-integer linear model; every field is an array over columns (n) or rows (m), all float64.

    Attributes
    ----------
    objective : (n,) objective coefficients; `objective_constant` is added.
    maximize : sense of the objective.
    matrix : (m, n) CSR.
    row_lower, row_upper : (m,), may be infinite.
    column_lower, column_upper : (n,), may be infinite.
    integral : (n,) bool.
    sos1, indicators : None when the model has none.
    """

    objective: FloatArray
    objective_constant: float
    maximize: bool
    matrix: sparse.csr_array
    row_lower: FloatArray
    row_upper: FloatArray
    column_lower: FloatArray
    column_upper: FloatArray
    integral: BoolArray
    sos1: Sos1Sets | None = None
    indicators: IndicatorRows | None = None
    column_blocks: tuple[NameBlock, ...] = ()
    row_blocks: tuple[NameBlock, ...] = ()

    @property
    def column_count(self) -> int:
        """Number of columns n."""
        return self.column_lower.size

    @property
    def row_count(self) -> int:
        """Number of linear rows m (indicator rows are counted apart)."""
        return self.row_lower.size

    @property
    def column_names(self) -> list[str]:
        """Readable names, one a column, built on demand."""
        return [name for block in self.column_blocks for name in block.names()]

    @property
    def row_names(self) -> list[str]:
        """Readable names, one a row, built on demand."""
        return [name for block in self.row_blocks for name in block.names()]

    def objective_value(self, point: FloatArray) -> float:
        """Return ``c^T x + c_0``."""
        return float(self.objective @ point) + self.objective_constant

    def violation(self, point: FloatArray) -> float:
        """Return the largest absolute violation at `point` of bounds, rows, integrality, SOS1 sets and indicators."""
        activity = self.matrix @ point
        parts = [
            self.row_lower - activity,
            activity - self.row_upper,
            self.column_lower - point,
            point - self.column_upper,
            np.abs(point - np.rint(point))[self.integral],
        ]
        if self.sos1 is not None:
            for first, last in zip(self.sos1.start[:-1], self.sos1.start[1:], strict=True):
                parts.append(np.sort(np.abs(point[self.sos1.columns[first:last]]))[:-1])
        if self.indicators is not None:
            rows = self.indicators
            switched = np.rint(point[rows.binary]).astype(bool) == rows.active
            activity = rows.matrix @ point
            parts += [(rows.lower - activity)[switched], (activity - rows.upper)[switched]]
        return max((float(part.max()) for part in parts if part.size), default=0.0)


class MilpBuilder:
    """Builds a `MilpModel` from whole blocks of columns and rows; nothing is ever appended one by one.

    Examples
    --------
    >>> import numpy as np
    >>> from formulations.milp import MilpBuilder
    >>> builder = MilpBuilder()
    >>> x = builder.add_columns(2, lower=0.0, upper=1.0, name="x")
    >>> _ = builder.add_rows((x, np.array([1.0, 2.0])), upper=1.5, name="diagonal")
    >>> builder.set_objective(x, np.ones(2), maximize=True)
    >>> model = builder.build()
    >>> model.row_count, model.column_count
    (2, 2)
    """

    def __init__(self) -> None:
        self._column_lower: list[FloatArray] = []
        self._column_upper: list[FloatArray] = []
        self._integral: list[BoolArray] = []
        self._column_blocks: list[NameBlock] = []
        self._row_blocks: list[NameBlock] = []
        self._rows = RowBlocks()
        self._indicators = RowBlocks()
        self._indicator_binary: list[IntArray] = []
        self._indicator_active: list[BoolArray] = []
        self._sos1_sizes: list[IntArray] = []
        self._sos1_columns: list[IntArray] = []
        self._sos1_weights: list[FloatArray] = []
        self._objective: tuple[IntArray, FloatArray, float, bool] | None = None
        self._column_count = 0

    @property
    def column_count(self) -> int:
        """Number of columns so far."""
        return self._column_count

    @property
    def row_count(self) -> int:
        """Number of linear rows so far."""
        return self._rows.count

    def add_columns(
        self,
        count: int,
        *,
        lower: ArrayLike = 0.0,
        upper: ArrayLike = np.inf,
        integral: ArrayLike = False,
        name: str = "x",
        index: IntArray | None = None,
    ) -> IntArray:
        """Append `count` columns and return their indices; `index` numbers the names (default 0, 1, …)."""
        self._column_lower.append(filled(lower, count))
        self._column_upper.append(filled(upper, count))
        self._integral.append(np.broadcast_to(np.asarray(integral, dtype=bool), (count,)))
        self._column_blocks.append(NameBlock(name, np.arange(count) if index is None else np.asarray(index)))
        first = self._column_count
        self._column_count += count
        return np.arange(first, self._column_count)

    def add_rows(
        self,
        *terms: Term,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        name: str = "row",
        index: IntArray | None = None,
    ) -> IntArray:
        """Append the rows ``lower <= sum_t M_t x[columns_t] <= upper`` and return their indices.

        Each term is ``(columns, M)`` with M a CSR matrix (rows, len(columns)), a vector (a diagonal) or a scalar (a
        multiple of the identity). Columns equal to `VANISHED` and zero coefficients write nothing.
        """
        first = self._rows.count
        count = self._rows.append(terms, lower, upper)
        self._row_blocks.append(NameBlock(name, np.arange(count) if index is None else np.asarray(index)))
        return np.arange(first, first + count)

    def add_indicators(
        self, binary: IntArray, active: bool, *terms: Term, lower: ArrayLike = -np.inf, upper: ArrayLike = np.inf
    ) -> None:
        """Append rows that hold only where ``x[binary] == active``; `binary` has one column a row."""
        count = self._indicators.append(terms, lower, upper)
        if binary.size != count:
            raise FormulationError(f"{count} indicator rows need {count} binaries, {binary.size} were given")
        self._indicator_binary.append(binary)
        self._indicator_active.append(np.full(count, active))

    def add_sos1(self, columns: IntArray) -> None:
        """Append SOS1 sets, one a row of `columns` (sets, members); members keep the order given."""
        sets, members = columns.shape
        self._sos1_sizes.append(np.full(sets, members))
        self._sos1_columns.append(columns.ravel())
        self._sos1_weights.append(np.tile(np.arange(1.0, members + 1.0), sets))

    def set_objective(
        self, columns: IntArray, coefficients: FloatArray, *, constant: float = 0.0, maximize: bool = False
    ) -> None:
        """Set the objective ``sum coefficients * x[columns] + constant`` (the last call counts)."""
        self._objective = (columns, coefficients, constant, maximize)

    def build(self) -> MilpModel:
        """Return the model built so far; the builder may go on."""
        count = self._column_count
        objective, constant, maximize = np.zeros(count), 0.0, False
        if self._objective is not None:
            columns, coefficients, constant, maximize = self._objective
            kept = columns != VANISHED
            np.add.at(objective, columns[kept], coefficients[kept])
        return MilpModel(
            objective=objective,
            objective_constant=constant,
            maximize=maximize,
            matrix=self._rows.matrix(count),
            row_lower=_joined(self._rows.lower, np.float64),
            row_upper=_joined(self._rows.upper, np.float64),
            column_lower=_joined(self._column_lower, np.float64),
            column_upper=_joined(self._column_upper, np.float64),
            integral=_joined(self._integral, np.bool_),
            sos1=self._build_sos1(),
            indicators=self._build_indicators(count),
            column_blocks=tuple(self._column_blocks),
            row_blocks=tuple(self._row_blocks),
        )

    def _build_sos1(self) -> Sos1Sets | None:
        if not self._sos1_columns:
            return None
        start = np.concatenate([[0], np.cumsum(np.concatenate(self._sos1_sizes))]).astype(np.int64)
        return Sos1Sets(start, np.concatenate(self._sos1_columns), np.concatenate(self._sos1_weights))

    def _build_indicators(self, column_count: int) -> IndicatorRows | None:
        if not self._indicators.count:
            return None
        return IndicatorRows(
            binary=np.concatenate(self._indicator_binary),
            active=np.concatenate(self._indicator_active),
            matrix=self._indicators.matrix(column_count),
            lower=np.concatenate(self._indicators.lower),
            upper=np.concatenate(self._indicators.upper),
        )


def _joined(parts: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)
