"""Gurobi through gurobipy's matrix interface."""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.errors import InvalidOptionError, SolverFailureError, SolverUnavailableError
from netopt.solvers.adapter import Adapter
from netopt.solvers.checks import refuse_reserved
from netopt.solvers.duality import lp_dual_bound
from netopt.solvers.gurobi_model import build, counted_size
from netopt.solvers.monitor import Monitor
from netopt.solvers.outcome import VendorAnswer
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.solvers.solver import Availability, Capabilities
from netopt.solvers.thread import run_interruptible

#: Every member of gurobipy.GRB.Status; a test compares.
TERMINATION = {
    "LOADED": Termination.ERROR,
    "OPTIMAL": Termination.OPTIMAL,
    "INFEASIBLE": Termination.INFEASIBLE,
    "INF_OR_UNBD": Termination.INFEASIBLE_OR_UNBOUNDED,
    "UNBOUNDED": Termination.UNBOUNDED,
    "CUTOFF": Termination.BOUND_LIMIT,
    "ITERATION_LIMIT": Termination.NODE_LIMIT,
    "NODE_LIMIT": Termination.NODE_LIMIT,
    "TIME_LIMIT": Termination.TIME_LIMIT,
    "SOLUTION_LIMIT": Termination.NODE_LIMIT,
    "INTERRUPTED": Termination.INTERRUPTED,
    "NUMERIC": Termination.NUMERICAL,
    "SUBOPTIMAL": Termination.NUMERICAL,
    "INPROGRESS": Termination.ERROR,
    "USER_OBJ_LIMIT": Termination.OBJECTIVE_LIMIT,
    "WORK_LIMIT": Termination.NODE_LIMIT,
    "MEM_LIMIT": Termination.MEMORY_LIMIT,
    "LOCALLY_OPTIMAL": Termination.ERROR,  # of nonlinear models, which netopt never writes
    "LOCALLY_INFEASIBLE": Termination.ERROR,
}

_RESERVED = {
    "TimeLimit": "time_limit",
    "Threads": "threads",
    "Seed": "seed",
    "MIPGap": "relative_gap",
    "MIPGapAbs": "absolute_gap",
    "NodeLimit": "node_limit",
    "BestObjStop": "objective_limit",
    "BestBdStop": "bound_limit",
    "OutputFlag": "log",
    "LogToConsole": "log",
}

#: What the licence that comes with the package allows, of columns, of rows and indicators, and of SOS1 sets.
_PACKAGE_LICENCE_SIZE = 2000
_SIZE_LIMIT_EXCEEDED = 10010


@dataclass(frozen=True, slots=True)
class Gurobi(Adapter):
    """Gurobi: all row kinds. The licence that pip installs takes 2000 columns and 2000 rows.

    Examples
    --------
    >>> from netopt.solvers.gurobi import Gurobi
    >>> sorted(Gurobi.capabilities.row_kinds)
    ['indicator', 'sos1']
    """

    name: ClassVar[str] = "gurobi"
    capabilities: ClassVar[Capabilities] = Capabilities(
        row_kinds=frozenset({"sos1", "indicator"}), incumbent_callback=True, interrupt=True
    )

    def availability(self, model: MilpModel | None = None) -> Availability:
        if importlib.util.find_spec("gurobipy") is None:
            return Availability(False, "solver gurobi needs gurobipy, which is not installed; pip install gurobipy")
        problem, limited = _licence()
        if problem:
            return Availability(False, f"Gurobi found no usable licence ({problem}); see its page on licences")
        if model is None or not limited:
            return Availability(True)
        columns, rows, sets = counted_size(model)
        if max(columns, rows, sets) <= _PACKAGE_LICENCE_SIZE:
            return Availability(True)
        return Availability(False, _too_large(model))

    def version(self) -> str:
        import gurobipy

        return ".".join(str(part) for part in gurobipy.gurobi.version())

    def run(
        self, model: MilpModel, parameters: SolverParameters, start: FloatArray | None, monitor: Monitor
    ) -> VendorAnswer:
        import gurobipy

        with gurobipy.Env(empty=True) as environment:
            environment.setParam("OutputFlag", 0)
            environment.start()
            with gurobipy.Model(env=environment) as gurobi:
                _set_options(gurobi, parameters)
                x, rows = build(gurobi, model, start)
                _optimize(gurobi, x, model, parameters, monitor)
                return _answer(gurobi, model, x, rows)


@lru_cache(maxsize=1)
def _licence() -> tuple[str, bool]:
    """Return what is wrong with the licence ("" if nothing), and whether it is the size-limited one of the package."""
    import gurobipy

    try:
        with gurobipy.Env(empty=True) as environment:
            environment.setParam("OutputFlag", 0)
            environment.start()
            with gurobipy.Model(env=environment) as probe:
                probe.addMVar(_PACKAGE_LICENCE_SIZE + 1)
                probe.optimize()
    except gurobipy.GurobiError as error:
        limited = error.errno == _SIZE_LIMIT_EXCEEDED
        return ("" if limited else str(error)), limited
    return "", False


def _too_large(model: MilpModel) -> str:
    columns, rows, sets = counted_size(model)
    return (
        f"Gurobi's package licence takes {_PACKAGE_LICENCE_SIZE} columns, rows and SOS1 sets, the model has {columns}, "
        f"{rows} and {sets}; install a full licence, tighten the bounds to remove binaries, or use solver highs or scip"
    )


def _set_options(gurobi: Any, parameters: SolverParameters) -> None:
    import gurobipy

    gurobi.setParam("Threads", parameters.threads)
    gurobi.setParam("Seed", parameters.seed)
    gurobi.setParam("MIPGap", parameters.relative_gap)
    gurobi.setParam("MIPGapAbs", parameters.absolute_gap)
    if parameters.node_limit is not None:
        gurobi.setParam("NodeLimit", parameters.node_limit)
    if parameters.plain:
        gurobi.setParam("Cuts", 0)
        gurobi.setParam("Heuristics", 0.0)
    if parameters.log:
        gurobi.setParam("LogToConsole", 0)
        gurobi.setParam("OutputFlag", 1)  # the callback prints to stderr
    refuse_reserved("Gurobi", parameters.options, _RESERVED)
    for name, value in parameters.options.items():
        if not hasattr(gurobipy.GRB.Param, name):
            raise InvalidOptionError(f"Gurobi has no parameter {name!r} (value {value!r}); see its list of parameters")
        kind = gurobi.getParamInfo(name)[1]
        if not isinstance(value, (int, float) if kind is float else kind):
            raise InvalidOptionError(f"Gurobi parameter {name}={value!r} must be of type {kind.__name__}")
        try:
            gurobi.setParam(name, value)
        except gurobipy.GurobiError as error:
            raise InvalidOptionError(f"Gurobi refused parameter {name}={value!r}: {error}") from error


def _optimize(gurobi: Any, x: Any, model: MilpModel, parameters: SolverParameters, monitor: Monitor) -> None:
    import gurobipy

    code = gurobipy.GRB.Callback

    def callback(running: Any, where: int) -> None:
        if where == code.MIPSOL:
            monitor.incumbent(np.asarray(running.cbGetSolution(x), dtype=np.float64))
            monitor.bound(_finite(running.cbGet(code.MIPSOL_OBJBND)))
        elif where == code.MIP:
            monitor.bound(_finite(running.cbGet(code.MIP_OBJBND)))
        elif where == code.MESSAGE and parameters.log:
            sys.stderr.write(running.cbGet(code.MSG_STRING))
        if monitor.should_stop():
            running.terminate()

    if math.isfinite(monitor.remaining):
        gurobi.setParam("TimeLimit", monitor.remaining)
    try:
        run_interruptible(lambda: gurobi.optimize(callback), gurobi.terminate, monitor)
    except gurobipy.GurobiError as error:
        if error.errno == _SIZE_LIMIT_EXCEEDED:
            raise SolverUnavailableError(_too_large(model)) from error
        raise SolverFailureError(f"Gurobi failed: {error}") from error


def _answer(gurobi: Any, model: MilpModel, x: Any, rows: Any) -> VendorAnswer:
    import gurobipy

    names = {getattr(gurobipy.GRB.Status, name): name for name in TERMINATION}
    status = names[gurobi.Status]
    termination = TERMINATION[status]
    point = np.asarray(x.X, dtype=np.float64) if gurobi.SolCount else None
    row_duals, dual_bound = None, math.nan
    if gurobi.IsMIP:
        if termination not in (Termination.ERROR, Termination.NUMERICAL):
            dual_bound = _finite(gurobi.ObjBound)
    elif termination is Termination.OPTIMAL:
        row_duals = np.empty(0) if rows is None else np.asarray(rows.Pi, dtype=np.float64)
        dual_bound = lp_dual_bound(model, row_duals, gurobi.ObjVal)
    return VendorAnswer(
        termination=termination,
        status=status,
        dual_bound=dual_bound,
        point=point,
        nodes=int(gurobi.NodeCount),
        row_duals=row_duals,
    )


def _finite(bound: float) -> float:
    """Return the bound with Gurobi's infinity, 1e100, as infinity."""
    return math.copysign(math.inf, bound) if abs(bound) >= 1e100 else bound
