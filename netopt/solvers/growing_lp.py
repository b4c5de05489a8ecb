"""A linear program kept in HiGHS that gains rows, solved again from the last basis each time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.errors import SolverFailureError
from netopt.solvers.highs import pass_model


class GrowingLp:
    """The linear relaxation of a model, to which rows are added. Use it in one thread only.

    A new row leaves the last basis dual feasible, so that the dual simplex goes on from it.

    Parameters
    ----------
    model : integrality is ignored.
    should_stop : asked during solves; once it says True the solve ends without a point.
    deadline : value of `time.monotonic` at which a solve ends likewise; None for none.

    Examples
    --------
    >>> import numpy as np
    >>> from formulations.milp import MilpBuilder
    >>> from netopt.solvers.growing_lp import GrowingLp
    >>> builder = MilpBuilder()
    >>> x = builder.add_columns(2, upper=1.0)
    >>> builder.set_objective(x, np.array([2.0, 1.0]), maximize=True)
    >>> lp = GrowingLp(builder.build(), lambda: False)
    >>> lp.solve().tolist()
    [1.0, 1.0]
    >>> lp.add_rows(np.array([[1.0, 1.0]]), np.array([1.5]))
    >>> lp.solve().tolist()
    [1.0, 0.5]
    """

    def __init__(self, model: MilpModel, should_stop: Callable[[], bool], deadline: float | None = None) -> None:
        import highspy

        self._highs: Any = highspy.Highs()
        for name, value in {"output_flag": False, "threads": 1, "presolve": "off", "solver": "simplex"}.items():
            self._highs.setOptionValue(name, value)
        pass_model(self._highs, replace(model, integral=np.zeros(model.column_count, dtype=bool)))
        self._deadline = deadline

        def on_progress(event: Any) -> None:
            event.data_in.user_interrupt = should_stop() or self._late()

        self._highs.cbSimplexInterrupt.subscribe(on_progress)

    def add_rows(self, matrix: FloatArray | sparse.csr_array, upper: FloatArray) -> None:
        """Add the rows ``matrix @ x <= upper``, matrix (k, columns).

        Raises
        ------
        SolverFailureError
            HiGHS refused a row.
        """
        import highspy

        rows = sparse.csr_array(matrix)
        status = self._highs.addRows(
            upper.size,
            np.full(upper.size, -np.inf),
            np.ascontiguousarray(upper),
            rows.nnz,
            rows.indptr[:-1].astype(np.int32),
            rows.indices.astype(np.int32),
            rows.data,
        )
        if status == highspy.HighsStatus.kError:
            raise SolverFailureError("HiGHS refused a row; its coefficients must be finite and below 1e15")

    def remove_rows(self, first: int) -> None:
        """Remove the rows from `first` on."""
        count = self._highs.getNumRow() - first
        if count > 0:
            self._highs.deleteRows(count, np.arange(first, first + count, dtype=np.int32))

    def solve(self) -> FloatArray | None:
        """Return an optimal point (columns,); None where there is none or the solve was stopped."""
        import highspy

        if self._late():
            return None
        self._highs.run()
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return np.array(self._highs.getSolution().col_value, dtype=np.float64)

    def _late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline
