"""SCIP through PySCIPOpt and SCIP's C functions."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.errors import InvalidOptionError, SolverFailureError
from netopt.solvers.adapter import Adapter
from netopt.solvers.checks import refuse_reserved
from netopt.solvers.monitor import Monitor
from netopt.solvers.outcome import VendorAnswer
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.solvers.scip_library import Pointers, ScipProblem
from netopt.solvers.solver import Availability, Capabilities
from netopt.solvers.thread import run_interruptible

#: Every member of pyscipopt.SCIP_STATUS in lower case, as getStatus says it; a test compares.
TERMINATION = {
    "optimal": Termination.OPTIMAL,
    "gaplimit": Termination.OPTIMAL,
    "infeasible": Termination.INFEASIBLE,
    "inforunbd": Termination.INFEASIBLE_OR_UNBOUNDED,
    "unbounded": Termination.UNBOUNDED,
    "timelimit": Termination.TIME_LIMIT,
    "nodelimit": Termination.NODE_LIMIT,
    "totalnodelimit": Termination.NODE_LIMIT,
    "stallnodelimit": Termination.NODE_LIMIT,
    "sollimit": Termination.NODE_LIMIT,
    "bestsollimit": Termination.NODE_LIMIT,
    "restartlimit": Termination.NODE_LIMIT,
    "memlimit": Termination.MEMORY_LIMIT,
    "primallimit": Termination.OBJECTIVE_LIMIT,
    "duallimit": Termination.BOUND_LIMIT,
    "userinterrupt": Termination.INTERRUPTED,
    "unknown": Termination.ERROR,
}

_RESERVED = {
    "limits/time": "time_limit",
    "timing/clocktype": "time_limit",
    "lp/threads": "threads",
    "parallel/maxnthreads": "threads",
    "randomization/randomseedshift": "seed",
    "limits/gap": "relative_gap",
    "limits/absgap": "absolute_gap",
    "limits/nodes": "node_limit",
    "limits/primal": "objective_limit",
    "limits/dual": "bound_limit",
    "misc/catchctrlc": "interrupt",
}
#: No cuts, and none of the heuristics that solve a MIP of their own.
_PLAIN = {
    "separating/maxroundsroot": 0,
    "separating/maxrounds": 0,
    "heuristics/alns/freq": -1,
    "heuristics/crossover/freq": -1,
    "heuristics/rens/freq": -1,
    "heuristics/rins/freq": -1,
}
_WALL_CLOCK = 2
_MOST_THREADS = 64


@dataclass(frozen=True, slots=True)
class Scip(Adapter):
    """SCIP: all row kinds; one thread; no row duals.

    Examples
    --------
    >>> from netopt.solvers.scip import Scip
    >>> sorted(Scip.capabilities.row_kinds)
    ['indicator', 'sos1']
    """

    name: ClassVar[str] = "scip"
    capabilities: ClassVar[Capabilities] = Capabilities(
        row_kinds=frozenset({"sos1", "indicator"}), incumbent_callback=True, interrupt=True
    )

    def availability(self, model: MilpModel | None = None) -> Availability:
        if importlib.util.find_spec("pyscipopt") is None:
            return Availability(False, "solver scip needs PySCIPOpt, which is not installed; pip install PySCIPOpt")
        return Availability(True)

    def version(self) -> str:
        import pyscipopt

        scip = pyscipopt.Model()
        return f"{scip.getMajorVersion()}.{scip.getMinorVersion()}.{scip.getTechVersion()}"

    def run(
        self, model: MilpModel, parameters: SolverParameters, start: FloatArray | None, monitor: Monitor
    ) -> VendorAnswer:
        import pyscipopt

        scip = pyscipopt.Model()
        _set_options(scip, model, parameters)
        problem = ScipProblem(scip)
        columns = _build(scip, problem, model)
        if start is not None:
            problem.add_start(columns, start)
        _watch(scip, problem, columns, monitor)
        if math.isfinite(monitor.remaining):
            scip.setParam("limits/time", monitor.remaining)
        _optimize(scip, monitor)
        status = scip.getStatus()
        return VendorAnswer(
            termination=TERMINATION[status],
            status=status,
            dual_bound=_finite(scip, scip.getDualbound()) if status != "unknown" else math.nan,
            point=problem.best_point(columns),
            nodes=int(scip.getNTotalNodes()),
        )


def _set_options(scip: Any, model: MilpModel, parameters: SolverParameters) -> None:
    scip.hideOutput()  # on stdout
    if parameters.log:
        scip.setLogfile("/dev/stderr")
    settings = {
        "timing/clocktype": _WALL_CLOCK,
        "misc/catchctrlc": False,  # run_interruptible hears Ctrl-C
        "lp/threads": min(parameters.threads, _MOST_THREADS),
        "randomization/randomseedshift": parameters.seed,
        "limits/gap": parameters.relative_gap,
        "limits/absgap": parameters.absolute_gap,
    }
    bounded = np.isfinite(model.column_lower) & np.isfinite(model.column_upper)
    if bounded[model.integral].all():
        # With the default of 1e-6 networks over boxes as narrow as that were called infeasible. Integer columns without
        # bounds, which no network has, may then keep SCIP busy beyond any time limit.
        settings |= {"numerics/feastol": 1e-9, "numerics/dualfeastol": 1e-9}
    if parameters.node_limit is not None:
        settings["limits/nodes"] = parameters.node_limit
    if parameters.plain:
        settings |= _PLAIN
    scip.setParams(settings)
    refuse_reserved("SCIP", parameters.options, _RESERVED)
    known = scip.getParams() if parameters.options else {}
    for name, value in parameters.options.items():
        if name not in known:
            raise InvalidOptionError(f"SCIP has no parameter {name!r} (value {value!r}); see its list of parameters")
        kind = type(known[name])
        if not isinstance(value, (int, float) if kind is float else kind):
            raise InvalidOptionError(f"SCIP parameter {name}={value!r} must be of type {kind.__name__}")
        try:
            scip.setParam(name, value)
        except Exception as error:
            raise InvalidOptionError(f"SCIP refused parameter {name}={value!r}: {error}") from error


def _build(scip: Any, problem: ScipProblem, model: MilpModel) -> Pointers:
    columns = problem.add_columns(model.column_lower, model.column_upper, model.objective, model.integral)
    problem.add_rows(columns, model.matrix, model.row_lower, model.row_upper)
    if model.sos1 is not None:
        problem.add_sos1(columns, model.sos1)
    if model.indicators is not None:
        problem.add_indicators(columns, model.indicators)
    scip.addObjoffset(model.objective_constant)
    if model.maximize:
        scip.setMaximize()
    return columns


def _watch(scip: Any, problem: ScipProblem, columns: Pointers, monitor: Monitor) -> None:
    """Feed the monitor from SCIP's events."""
    import pyscipopt

    events = pyscipopt.SCIP_EVENTTYPE

    class Watcher(pyscipopt.Eventhdlr):  # type: ignore[misc] # PySCIPOpt is not installed everywhere, so it is Any
        def eventinit(self) -> None:
            self.model.catchEvent(events.BESTSOLFOUND, self)
            self.model.catchEvent(events.DUALBOUNDIMPROVED, self)

        def eventexit(self) -> None:
            self.model.dropEvent(events.BESTSOLFOUND, self)
            self.model.dropEvent(events.DUALBOUNDIMPROVED, self)

        def eventexec(self, event: Any) -> None:
            if event.getType() == events.BESTSOLFOUND:
                point = problem.best_point(columns)
                if point is not None:
                    monitor.incumbent(point)
            # While SCIP restarts or frees its tree, the empty tree has the incumbent as its bound: proof of nothing.
            if self.model.getStage() == pyscipopt.SCIP_STAGE.SOLVING:
                monitor.bound(_finite(self.model, self.model.getDualbound()))
            if monitor.should_stop():
                _interrupt(self.model)

    scip.includeEventhdlr(Watcher(), "netopt", "incumbents and bounds")


def _optimize(scip: Any, monitor: Monitor) -> None:
    try:
        run_interruptible(scip.optimizeNogil, lambda: _interrupt(scip), monitor)
    except Exception as error:  # PySCIPOpt raises Exception itself
        raise SolverFailureError(f"SCIP failed: {error}") from error


def _interrupt(scip: Any) -> None:
    """Ask SCIP to stop; it refuses between presolving and solving, so it is asked again."""
    import pyscipopt

    if scip.getStage() in (pyscipopt.SCIP_STAGE.PRESOLVING, pyscipopt.SCIP_STAGE.SOLVING):
        scip.interruptSolve()


def _finite(scip: Any, bound: float) -> float:
    """Return the bound with SCIP's infinity as infinity."""
    return math.copysign(math.inf, bound) if abs(bound) >= scip.infinity() else float(bound)
