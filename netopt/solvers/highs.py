"""HiGHS through highspy: the whole model in one call."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.errors import InvalidOptionError, ModelNumbersError
from netopt.solvers.adapter import Adapter
from netopt.solvers.checks import refuse_reserved
from netopt.solvers.duality import lp_dual_bound
from netopt.solvers.monitor import Monitor
from netopt.solvers.outcome import VendorAnswer
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.solvers.solver import Availability, Capabilities
from netopt.solvers.thread import run_interruptible

#: Every member of highspy.HighsModelStatus; a test compares.
TERMINATION = {
    "kNotset": Termination.ERROR,
    "kLoadError": Termination.ERROR,
    "kModelError": Termination.ERROR,
    "kPresolveError": Termination.ERROR,
    "kSolveError": Termination.ERROR,
    "kPostsolveError": Termination.ERROR,
    "kModelEmpty": Termination.OPTIMAL,
    "kOptimal": Termination.OPTIMAL,
    "kInfeasible": Termination.INFEASIBLE,
    "kUnboundedOrInfeasible": Termination.INFEASIBLE_OR_UNBOUNDED,
    "kUnbounded": Termination.UNBOUNDED,
    "kObjectiveBound": Termination.BOUND_LIMIT,
    "kObjectiveTarget": Termination.OBJECTIVE_LIMIT,
    "kTimeLimit": Termination.TIME_LIMIT,
    "kIterationLimit": Termination.NODE_LIMIT,
    "kUnknown": Termination.NUMERICAL,
    "kSolutionLimit": Termination.NODE_LIMIT,
    "kInterrupt": Termination.INTERRUPTED,
    "kMemoryLimit": Termination.MEMORY_LIMIT,
    "kHighsInterrupt": Termination.INTERRUPTED,
}

_RESERVED = {
    "time_limit": "time_limit",
    "threads": "threads",
    "random_seed": "seed",
    "mip_rel_gap": "relative_gap",
    "mip_abs_gap": "absolute_gap",
    "mip_max_nodes": "node_limit",
    "objective_target": "objective_limit",
    "objective_bound": "bound_limit",
    "output_flag": "log",
    "log_to_console": "log",
}


#: The sub-MIPs that look for a point: superfluous with a start, and where the caller asks for a plain search.
_NO_SUB_MIPS: Mapping[str, bool | int | float | str] = MappingProxyType(
    {
        "mip_heuristic_run_rens": False,
        "mip_heuristic_run_rins": False,
        "mip_heuristic_run_root_reduced_cost": False,
    }
)


@dataclass(frozen=True, slots=True)
class Highs(Adapter):
    """HiGHS: the default solver, installed with netopt; linear rows only.

    With a MIP start, HiGHS's sub-MIP heuristics and presolve are off unless `SolverParameters.options` says otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> from formulations.milp import MilpBuilder
    >>> from netopt.solvers.highs import Highs
    >>> from netopt.solvers.parameters import SolverParameters
    >>> builder = MilpBuilder()
    >>> x = builder.add_columns(2, upper=1.0, integral=True)
    >>> _ = builder.add_rows((x, np.ones(2)), upper=0.5)
    >>> builder.set_objective(x, np.ones(2), maximize=True)
    >>> Highs().solve(builder.build(), SolverParameters()).primal_bound
    0.0
    """

    name: ClassVar[str] = "highs"
    capabilities: ClassVar[Capabilities] = Capabilities(incumbent_callback=True, interrupt=True)

    def availability(self, model: MilpModel | None = None) -> Availability:
        if importlib.util.find_spec("highspy") is None:
            return Availability(False, "solver highs needs highspy, which is not installed; pip install highspy")
        return Availability(True)

    def version(self) -> str:
        import highspy

        return str(highspy.Highs().version())

    def run(
        self, model: MilpModel, parameters: SolverParameters, start: FloatArray | None, monitor: Monitor
    ) -> VendorAnswer:
        import highspy

        highs = highspy.Highs()
        started = start if model.integral.any() else None
        _set_options(highs, parameters, started is not None)
        pass_model(highs, model)
        if started is not None:
            solution = highspy.HighsSolution()
            solution.col_value = started
            highs.setSolution(solution)
        _subscribe(highs, model, monitor, log=parameters.log)
        highs.setOptionValue("time_limit", monitor.remaining)
        # HiGHS asks the monitor itself through its interrupt callbacks, so there is nothing to call from outside.
        run_interruptible(highs.run, lambda: None, monitor)
        return _answer(highs, model)


def _set_options(highs: Any, parameters: SolverParameters, started: bool) -> None:
    settings: dict[str, bool | int | float | str] = {
        "log_to_console": False,  # to stdout; _subscribe prints to stderr
        "output_flag": parameters.log,
        "threads": parameters.threads,
        "random_seed": parameters.seed,
        "mip_rel_gap": parameters.relative_gap,
        "mip_abs_gap": parameters.absolute_gap,
        "small_matrix_value": 1e-12,  # HiGHS drops coefficients below; the default 1e-9 moves bounds
        # Claims count from a margin of 1e-6 on. With the default tolerances of that size presolve fixes inputs whose
        # range is as small and cuts off what can be reached: bounds were wrong by more than the margin.
        "mip_feasibility_tolerance": 1e-9,
        "primal_feasibility_tolerance": 1e-9,
        "dual_feasibility_tolerance": 1e-9,
    }
    if parameters.node_limit is not None:
        settings["mip_max_nodes"] = parameters.node_limit
    refuse_reserved("HiGHS", parameters.options, _RESERVED)
    if started or parameters.plain:
        settings |= _NO_SUB_MIPS
    if started:
        # It finds little in dense rows; margins are proven 3 to 8 times faster without it and the sub-MIPs
        # (benchmarks/highs_start).
        settings["presolve"] = "off"
    set_options(highs, settings | dict(parameters.options))


def set_options(highs: Any, options: Mapping[str, bool | int | float | str]) -> None:
    """Set options of a highspy object by HiGHS's names.

    Raises
    ------
    InvalidOptionError
        HiGHS does not know the name or refuses the value.
    """
    import highspy

    known = highs.getOptions()
    for name, value in options.items():
        if not hasattr(known, name):
            raise InvalidOptionError(f"HiGHS has no option {name!r} (value {value!r}); see its list of options")
        if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise InvalidOptionError(f"HiGHS refused option {name}={value!r}; see its list of options for the values")


def pass_model(highs: Any, model: MilpModel) -> None:
    """Give a highspy object the whole model in one call; linear rows only."""
    import highspy

    sense = highspy.ObjSense.kMaximize if model.maximize else highspy.ObjSense.kMinimize
    status = highs.passModel(
        model.column_count,
        model.row_count,
        model.matrix.nnz,
        highspy.MatrixFormat.kRowwise.value,
        sense.value,
        model.objective_constant,
        np.ascontiguousarray(model.objective),
        np.ascontiguousarray(model.column_lower),
        np.ascontiguousarray(model.column_upper),
        np.ascontiguousarray(model.row_lower),
        np.ascontiguousarray(model.row_upper),
        model.matrix.indptr.astype(np.int32, copy=False),
        model.matrix.indices.astype(np.int32, copy=False),
        model.matrix.data,
        model.integral.astype(np.int32),
    )
    if status == highspy.HighsStatus.kError:
        largest = np.abs(model.matrix.data).max(initial=0.0)
        raise ModelNumbersError(
            f"HiGHS refused the model; its largest coefficient is {largest:.3g} (HiGHS takes less than 1e15), "
            "so scale the network's inputs or tighten its bounds"
        )


def _subscribe(highs: Any, model: MilpModel, monitor: Monitor, *, log: bool) -> None:
    """Feed the monitor from HiGHS's callbacks and let it stop the solve."""

    def on_solution(event: Any) -> None:
        monitor.incumbent(np.array(event.data_out.mip_solution, dtype=np.float64))

    def on_mip_progress(event: Any) -> None:
        monitor.bound(event.data_out.mip_dual_bound)
        event.data_in.user_interrupt = monitor.should_stop()

    def on_lp_progress(event: Any) -> None:
        event.data_in.user_interrupt = monitor.should_stop()

    if log:
        highs.cbLogging.subscribe(lambda event: sys.stderr.write(event.message))
    if model.integral.any():
        highs.cbMipImprovingSolution.subscribe(on_solution)
        highs.cbMipInterrupt.subscribe(on_mip_progress)
    else:
        highs.cbSimplexInterrupt.subscribe(on_lp_progress)
        highs.cbIpmInterrupt.subscribe(on_lp_progress)


def _answer(highs: Any, model: MilpModel) -> VendorAnswer:
    import highspy

    info, status, solution = highs.getInfo(), highs.getModelStatus(), highs.getSolution()
    termination = TERMINATION[status.name]
    point = row_duals = None
    if info.primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible):
        point = np.array(solution.col_value, dtype=np.float64)
    dual_bound = math.nan
    if model.integral.any():
        if termination not in (Termination.ERROR, Termination.NUMERICAL):
            dual_bound = float(info.mip_dual_bound)
    elif termination is Termination.OPTIMAL:  # a simplex stopped early need not be dual feasible
        row_duals = np.array(solution.row_dual, dtype=np.float64)
        dual_bound = lp_dual_bound(model, row_duals, float(info.objective_function_value))
    return VendorAnswer(
        termination=termination,
        status=highs.modelStatusToString(status),
        dual_bound=dual_bound,
        point=point,
        nodes=max(0, int(info.mip_node_count)),
        row_duals=row_duals,
    )
