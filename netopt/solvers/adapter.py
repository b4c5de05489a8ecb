"""What all vendor adapters do alike: refuse, watch, solve, check the answer."""

from __future__ import annotations

import math
import threading
from abc import abstractmethod

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.errors import ModelNumbersError, SolverFailureError
from netopt.solvers.checks import check_solve
from netopt.solvers.monitor import Monitor
from netopt.solvers.outcome import VendorAnswer, make_result
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import SolverResult, Termination
from netopt.solvers.solver import BoundCallback, IncumbentCallback, MilpSolver


class Adapter(MilpSolver):
    """A `MilpSolver` on top of one vendor's library; a new one writes `run` and a table of statuses."""

    def solve(
        self,
        model: MilpModel,
        parameters: SolverParameters,
        *,
        start: FloatArray | None = None,
        on_incumbent: IncumbentCallback | None = None,
        on_bound: BoundCallback | None = None,
        interrupt: threading.Event | None = None,
    ) -> SolverResult:
        check_solve(self, model, parameters, start)
        monitor = Monitor(model, parameters, on_incumbent, on_bound, interrupt)
        monitor.offer_start(start)
        try:
            # Vendors disagree about a model without columns.
            answer = self.run(model, parameters, start, monitor) if model.column_count else _columnless_answer(model)
        except (ModelNumbersError, SolverFailureError) as error:
            answer = VendorAnswer(termination=Termination.NUMERICAL, status=str(error), dual_bound=math.nan)
        return make_result(monitor, answer, f"{self.name} {self.version()}")

    @abstractmethod
    def run(
        self, model: MilpModel, parameters: SolverParameters, start: FloatArray | None, monitor: Monitor
    ) -> VendorAnswer:
        """Solve a checked model with at least one column; feed `monitor` on the way and obey its `should_stop`."""


def _columnless_answer(model: MilpModel) -> VendorAnswer:
    if (model.row_lower > 0.0).any() or (model.row_upper < 0.0).any():
        return VendorAnswer(termination=Termination.INFEASIBLE, status="no columns", dual_bound=0.0)
    return VendorAnswer(
        termination=Termination.OPTIMAL,
        status="no columns",
        dual_bound=model.objective_constant,
        point=np.empty(0),
        row_duals=np.zeros(model.row_count),
    )
