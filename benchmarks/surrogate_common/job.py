"""One run in a process of its own: ``python -m benchmarks.surrogate_common.job JOB``, a JSON object; prints another.

Everything is loaded, and the solver's child has solved a first small model, before the clock starts.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
import traceback
from typing import Any

import numpy as np
import psutil

from benchmarks.surrogate_common.methods import method_of
from benchmarks.surrogate_common.problem import Means, Problem
from benchmarks.surrogate_common.trace import Trace, compressed
from formulations.milp import MilpBuilder
from netopt.errors import SolverUnavailableError
from netopt.solvers.child import ChildSolver
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.registry import get_solver


def main() -> None:
    """Run the job."""
    job: dict[str, Any] = json.loads(sys.argv[1])
    if job["core"] is not None:
        os.sched_setaffinity(0, {job["core"]})  # inherited by the solver's process: one core for all of the run
    problem: Problem = importlib.import_module(job["loader"]).load_problem(job["instance"])
    print(json.dumps(run(problem, job)))


def run(problem: Problem, job: dict[str, Any]) -> dict[str, Any]:
    """Return what the run reached; the reason where a solver cannot be used."""
    solver = get_solver(job["solver"])
    usable = solver.availability()
    if not usable.usable:
        return {"status": f"skipped: {usable.reason}"}
    with ChildSolver(solver) as child:
        _load(child)
        used = _cpu_seconds()
        trace = Trace(problem.network, problem.domain, problem.weights, job["seconds"], job["until_found"])
        try:
            method_of(job["method"])(problem, Means(solver=child, seed=job["seed"]), trace)
        except SolverUnavailableError as error:  # the model is larger than the licence allows
            trace.status = f"skipped: {error}"
        except Exception:  # noqa: BLE001 - a run that breaks is a row of the table, not the end of the campaign
            trace.status = f"failed: {traceback.format_exc().strip().splitlines()[-1]}"
            traceback.print_exc()
        seconds = trace.elapsed
        return _row(problem, trace, seconds, _cpu_seconds() - used)


def _load(child: ChildSolver) -> None:
    """Have the child start and load its library."""
    builder = MilpBuilder()
    x = builder.add_columns(2, upper=1.0, integral=True)
    builder.set_objective(x, np.ones(2), maximize=True)
    child.solve(builder.build(), SolverParameters(time_limit=60.0))


def _cpu_seconds() -> float:
    """Return the processor time of this process and its children."""
    this = psutil.Process()
    times = [process.cpu_times() for process in (this, *this.children(recursive=True))]
    return float(sum(t.user + t.system for t in times))


def _row(problem: Problem, trace: Trace, seconds: float, cpu_seconds: float) -> dict[str, Any]:
    value = trace.improvements[-1][1] if trace.improvements else None
    center = problem.network.forward(problem.domain.center) @ problem.weights
    if trace.status == "done" and seconds >= 0.98 * trace.seconds:
        trace.status = "limit"
    return {
        "status": trace.status,
        "center": float(center),
        "value": value,
        "found_seconds": trace.found_after(),
        "found_by": trace.found_by or None,
        "best_by": trace.best_by or None,
        "dual_bound": trace.dual_bound if math.isfinite(trace.dual_bound) else None,
        "run_seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "finetune_seconds": trace.stages.get("finetune"),
        **{name: trace.sizes.get(name) for name in ("weights", "weights_kept", "relus", "binaries", "rows", "nodes")},
        "stages": json.dumps({name: round(value, 4) for name, value in trace.stages.items()}),
        "trace": json.dumps(compressed(trace.improvements)),
    }


if __name__ == "__main__":
    main()
