"""Any solver that Pyomo finds: CBC, GLPK, CPLEX, Xpress and more."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from formulations.milp import MilpBuilder, MilpModel
from netopt.arrays import FloatArray
from netopt.errors import InvalidOptionError, SolverFailureError
from netopt.solvers.adapter import Adapter
from netopt.solvers.checks import refuse_reserved
from netopt.solvers.highs import set_options
from netopt.solvers.monitor import Monitor
from netopt.solvers.outcome import VendorAnswer, is_plausible
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.pauses import paused_collector
from netopt.solvers.pyomo_model import build, column_values
from netopt.solvers.result import Termination
from netopt.solvers.solver import Availability, Capabilities
from netopt.solvers.thread import run_interruptible

#: Every member of pyomo.opt.TerminationCondition; a test compares.
TERMINATION = {
    "unknown": Termination.ERROR,
    "maxTimeLimit": Termination.TIME_LIMIT,
    "maxIterations": Termination.NODE_LIMIT,
    "minFunctionValue": Termination.OBJECTIVE_LIMIT,
    "minStepLength": Termination.NUMERICAL,
    "globallyOptimal": Termination.OPTIMAL,
    "locallyOptimal": Termination.NUMERICAL,  # no proof
    "feasible": Termination.NODE_LIMIT,  # GLPK at any limit
    "optimal": Termination.OPTIMAL,
    "maxEvaluations": Termination.NODE_LIMIT,
    "other": Termination.ERROR,
    "unbounded": Termination.UNBOUNDED,
    "infeasible": Termination.INFEASIBLE,
    "infeasibleOrUnbounded": Termination.INFEASIBLE_OR_UNBOUNDED,
    "invalidProblem": Termination.ERROR,
    "intermediateNonInteger": Termination.NODE_LIMIT,
    "noSolution": Termination.NODE_LIMIT,
    "solverFailure": Termination.ERROR,
    "internalSolverError": Termination.ERROR,
    "error": Termination.ERROR,
    "userInterrupt": Termination.INTERRUPTED,
    "resourceInterrupt": Termination.MEMORY_LIMIT,
    "licensingProblems": Termination.ERROR,
}

_HIGHS = {
    "time_limit": "time_limit",
    "relative_gap": "mip_rel_gap",
    "absolute_gap": "mip_abs_gap",
    "threads": "threads",
    "seed": "random_seed",
    "node_limit": "mip_max_nodes",
}
_GUROBI = {
    "time_limit": "TimeLimit",
    "relative_gap": "MIPGap",
    "absolute_gap": "MIPGapAbs",
    "threads": "Threads",
    "seed": "Seed",
    "node_limit": "NodeLimit",
}
#: What each solver calls the parameters; a parameter that is missing here cannot be given.
_OPTION_NAMES: Mapping[str, Mapping[str, str]] = {
    "cbc": {
        "time_limit": "sec",
        "relative_gap": "ratioGap",
        "absolute_gap": "allowableGap",
        "threads": "threads",
        "seed": "randomCbcSeed",
        "node_limit": "maxNodes",
    },
    "glpk": {"time_limit": "tmlim", "relative_gap": "mipgap"},
    "highs": _HIGHS,
    "appsi_highs": _HIGHS,
    "gurobi": _GUROBI,
    "gurobi_direct": _GUROBI,
    "cplex": {"time_limit": "timelimit", "relative_gap": "mip_tolerances_mipgap", "threads": "threads"},
}
#: Options without which the time limit is one of processor time.
_CLOCK: Mapping[str, Mapping[str, str]] = {"cbc": {"timeMode": "elapsed"}}
#: How CBC, which goes on regardless, says that it did not understand an option.
_REFUSED = re.compile(
    r"No match for .*|Possible options for .*|.* was provided for .* - valid range.*|.* is illegal for .*"
)
#: Programs prune within tolerances of their own (CBC within 1e-5), so "optimal" proves no more than these.
_ABSOLUTE_PRUNING, _RELATIVE_PRUNING = 1e-5, 1e-6


@dataclass(frozen=True, slots=True)
class PyomoSolver(Adapter):
    """A solver that Pyomo finds: linear rows only, no callbacks, no start, no early stop, a dual bound at the end only.

    Pyomo reports bounds differently for each solver (CBC's "upper bound" when maximizing is its incumbent), so none is
    read: at `Termination.OPTIMAL` the dual bound is the optimum widened by the gap asked for (by at least 1e-5),
    otherwise it is unknown. `objective_limit`, `bound_limit` and an interrupt do not end the solve early; inside a
    `ChildSolver` an interrupt does.

    Parameters
    ----------
    solver : Pyomo's name of it, such as "cbc", "glpk", "cplex".
    executable : its program, if neither Pyomo nor this environment's folder of programs has it. CBC is also found where
        the package PuLP is installed, which brings one.

    Examples
    --------
    >>> from netopt.solvers.pyomo import PyomoSolver
    >>> PyomoSolver("cbc").name
    'pyomo:cbc'
    """

    solver: str
    executable: str | None = None
    capabilities: ClassVar[Capabilities] = Capabilities()

    @property
    def name(self) -> str:
        return f"pyomo:{self.solver}"

    def availability(self, model: MilpModel | None = None) -> Availability:
        if importlib.util.find_spec("pyomo") is None:
            return Availability(False, f"solver {self.name} needs Pyomo, which is not installed; pip install pyomo")
        from pyomo.environ import SolverFactory

        if self.solver not in set(SolverFactory) and shutil.which(self.solver) is None:
            return Availability(
                False, f"Pyomo knows no solver {self.solver!r}; see the output of 'pyomo help --solvers'"
            )
        if not self._make().available(exception_flag=False):
            return Availability(False, f"Pyomo does not find {self.solver}; install its program and put it on the PATH")
        return Availability(True)

    def version(self) -> str:
        return ".".join(str(part) for part in self._make().version() or ("unknown",))

    def _make(self) -> Any:
        from pyomo.environ import SolverFactory

        program = self.executable or _find_program(self.solver)
        return SolverFactory(self.solver, **({} if program is None else {"executable": program}))

    def run(
        self, model: MilpModel, parameters: SolverParameters, start: FloatArray | None, monitor: Monitor
    ) -> VendorAnswer:
        empty = np.diff(model.matrix.indptr) == 0
        if ((model.row_lower > 0.0) | (model.row_upper < 0.0))[empty].any():  # Pyomo takes no rows without terms
            return VendorAnswer(termination=Termination.INFEASIBLE, status="empty row", dual_bound=math.nan)
        if parameters.options:
            self._try_options(parameters)
        with paused_collector():
            pyomo_model = build(model)
        settings = _settings(self.solver, parameters, monitor.remaining)
        results = self._call(pyomo_model, settings, monitor, log=parameters.log)
        status = str(results.solver.termination_condition)
        termination = TERMINATION[status]
        monitor.should_stop()  # some say only that they stopped: the clock says why
        point = None
        if len(results.solution):
            results.solver.status = "ok"  # else Pyomo warns of an incumbent that is not optimal
            pyomo_model.solutions.load_from(results)
            point = column_values(pyomo_model, model)
            if termination is not Termination.OPTIMAL and not is_plausible(monitor, point):
                point = None  # without an incumbent CBC hands over a point of its relaxation
        bound = _proved(model, parameters, point) if termination is Termination.OPTIMAL else math.nan
        return VendorAnswer(termination=termination, status=status, dual_bound=bound, point=point)

    def _try_options(self, parameters: SolverParameters) -> None:
        """Solve a model of one column with the caller's options, as Pyomo does not check them."""
        if _OPTION_NAMES.get(self.solver) is _HIGHS:  # Pyomo does not look whether HiGHS took an option
            import highspy

            set_options(highspy.Highs(), parameters.options)
        import pyomo.environ as pyo

        trial = pyo.ConcreteModel()
        trial.x = pyo.Var(bounds=(0, 1))
        trial.objective = pyo.Objective(expr=trial.x)
        try:
            settings = _settings(self.solver, parameters, math.inf)
            self._call(trial, settings, Monitor(MilpBuilder().build(), SolverParameters()), log=False)
        except SolverFailureError as error:
            given = ", ".join(f"{name}={value!r}" for name, value in parameters.options.items())
            raise InvalidOptionError(f"{self.solver} refused {given} ({error}); see its list of options") from error

    def _call(self, pyomo_model: Any, settings: Mapping[str, Any], monitor: Monitor, *, log: bool) -> Any:
        """Run the solver and return Pyomo's results, without loading them."""
        from pyomo.opt.solver import SystemCallSolver

        solver = self._make()
        solver.options.update(settings)
        results: list[Any] = []
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "log"
            arguments = {"logfile": str(file)} if isinstance(solver, SystemCallSolver) else {}

            def work() -> None:
                with contextlib.redirect_stdout(sys.stderr):
                    results.append(solver.solve(pyomo_model, load_solutions=False, tee=log, **arguments))

            try:
                run_interruptible(work, lambda: None, monitor)
            except Exception as error:  # each interface of Pyomo raises errors of its own
                raise SolverFailureError(f"{self.solver} failed under Pyomo: {error}") from error
            refused = _REFUSED.search(file.read_text(errors="replace")) if file.exists() else None
        if refused:
            raise SolverFailureError(refused.group())
        return results[0]


def _find_program(solver: str) -> str | None:
    """Return the program of a solver that is installed in this environment but not on the PATH."""
    if shutil.which(solver) is not None:
        return None
    beside = shutil.which(solver, path=str(Path(sys.executable).parent))
    if beside is None and solver == "cbc" and importlib.util.find_spec("pulp") is not None:
        import pulp  # type: ignore[import-untyped] # it ships no types

        return str(pulp.PULP_CBC_CMD.pulp_cbc_path)
    return beside


def _settings(solver: str, parameters: SolverParameters, remaining: float) -> dict[str, Any]:
    """Return the solver's own options for the parameters.

    A time limit that the solver cannot be told is held by `ChildSolver`; any other such parameter is refused.
    """
    names = _OPTION_NAMES.get(solver, {})
    refuse_reserved(solver, parameters.options, {option: field for field, option in names.items()})
    default, settings = SolverParameters(), dict[str, Any]()
    for field in ("relative_gap", "absolute_gap", "threads", "seed", "node_limit"):
        value = getattr(parameters, field)
        if field in names:
            if value is not None:
                settings[names[field]] = value
        elif value != getattr(default, field):
            raise InvalidOptionError(f"netopt cannot tell {solver} the parameter {field}={value}; give it in options")
    if "time_limit" in names and math.isfinite(remaining):
        settings[names["time_limit"]] = remaining
        settings |= _CLOCK.get(solver, {})
    return settings | dict(parameters.options)


def _proved(model: MilpModel, parameters: SolverParameters, point: FloatArray | None) -> float:
    """Return the dual bound that "optimal" proves: the optimum, widened by the gap within which the solver may stop."""
    if point is None:
        return math.nan
    value = model.objective_value(point)
    pruning = _ABSOLUTE_PRUNING + _RELATIVE_PRUNING * abs(value)
    gap = max(parameters.absolute_gap, parameters.relative_gap * abs(value), pruning)
    return value + gap if model.maximize else value - gap
