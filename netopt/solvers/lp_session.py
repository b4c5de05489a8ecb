"""A linear program kept in HiGHS, solved for one objective, or set of bounds, after another from the last basis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray, IntArray
from netopt.errors import SolverFailureError
from netopt.solvers.highs import pass_model


class LpSession:
    """The linear relaxation of a model, whose objective and bounds change. Use it in one thread only.

    The last basis stays primal feasible when only the objective changes, and dual feasible when only bounds change,
    which makes a solve several times cheaper than a first one.

    Parameters
    ----------
    model : integrality is ignored; so is its objective.
    should_stop : asked during solves; once it says True the solve ends with the multipliers it has.

    Examples
    --------
    >>> import numpy as np
    >>> from formulations.milp import MilpBuilder
    >>> from netopt.solvers.lp_session import LpSession
    >>> builder = MilpBuilder()
    >>> x = builder.add_columns(2, upper=1.0)
    >>> _ = builder.add_rows((x, np.ones(2)), lower=0.5)  # one row a column
    >>> session = LpSession(builder.build(), lambda: False)
    >>> session.minimize(x, np.array([1.0, 1.0])).tolist()
    [1.0, 1.0]
    """

    def __init__(self, model: MilpModel, should_stop: Callable[[], bool]) -> None:
        import highspy

        self._highs: Any = highspy.Highs()
        for name, value in {"output_flag": False, "threads": 1, "presolve": "off"}.items():
            self._highs.setOptionValue(name, value)
        count = model.column_count
        relaxed = np.zeros(count, dtype=bool)
        pass_model(self._highs, replace(model, objective=np.zeros(count), maximize=False, integral=relaxed))
        self._costs = np.zeros(count)
        self._all = np.arange(count, dtype=np.int32)

        def on_progress(event: Any) -> None:
            event.data_in.user_interrupt = should_stop()

        self._highs.cbSimplexInterrupt.subscribe(on_progress)

    def minimize(self, columns: IntArray, coefficients: FloatArray) -> FloatArray | None:
        """Minimise ``coefficients @ x[columns]`` and return multipliers of the rows, (rows,); None without any.

        They are signed as in `SolverResult.row_duals`. Nothing else the solver says is returned: rebuild the bound that
        the multipliers prove.

        Raises
        ------
        SolverFailureError
            HiGHS refused the objective.
        """
        import highspy

        self._costs[:] = 0.0
        self._costs[columns] = coefficients
        if self._highs.changeColsCost(self._all.size, self._all, self._costs) == highspy.HighsStatus.kError:
            raise SolverFailureError("HiGHS refused an objective; its coefficients must be finite")
        self._highs.run()
        solution = self._highs.getSolution()
        if not solution.dual_valid:
            return None
        duals = np.array(solution.row_dual, dtype=np.float64)
        return duals if np.isfinite(duals).all() else None

    def bound_columns(self, columns: IntArray, lower: FloatArray, upper: FloatArray) -> None:
        """Change the bounds of some columns."""
        self._highs.changeColsBounds(columns.size, columns.astype(np.int32), lower, upper)

    def bound_rows(self, rows: IntArray, lower: FloatArray, upper: FloatArray) -> None:
        """Change the sides of some rows."""
        self._highs.changeRowsBounds(rows.size, rows.astype(np.int32), lower, upper)

    def point(self) -> FloatArray | None:
        """Return the columns' values at the last optimum, None where there was none."""
        import highspy

        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return np.array(self._highs.getSolution().col_value, dtype=np.float64)

    def ray(self) -> FloatArray | None:
        """Return row multipliers that show the last program to be infeasible, None where it was not."""
        _, exists, ray = self._highs.getDualRay()
        return np.array(ray, dtype=np.float64) if exists and np.isfinite(ray).all() else None
