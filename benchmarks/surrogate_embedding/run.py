"""Time to a good solution of a model with a network in it: the dense model, swap search, and `solve_with_surrogate`.

All three start from the same point (nothing chosen, completed by a forward pass), are charged for reading and writing
the model and for starting processes, and run on one core. Values are those of the dense network.

Usage: python benchmarks/surrogate_embedding/run.py [--seconds 60] [--seeds 3] [-o results.csv]
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from models import KINDS, SIZES, build, train

from netopt.embedding import PredictorConstraint, solve_with_surrogate
from netopt.embedding.adapter import adapt
from netopt.embedding.surrogate_candidate import Candidate
from netopt.embedding.surrogate_evaluation import Evaluator
from netopt.embedding.surrogate_moves import LocalSearch
from netopt.embedding.surrogate_problem import read_problem
from netopt.embedding.surrogate_writing import WrittenProblem, write_problem
from netopt.solvers.child import ChildSolver
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters

HERE = Path(__file__).resolve().parent
#: (seconds, objective on the dense network) of every improvement, and the dual bound.
Trace = tuple[list[tuple[float, float]], float | None]


def read(model: object, prediction: PredictorConstraint) -> tuple[WrittenProblem, Evaluator, Candidate]:
    """Return the dense model, what judges points, and the common start."""
    _, problem = read_problem(adapt(model), [prediction])
    written = write_problem(problem)
    evaluator = Evaluator(problem, written.blocks)
    return written, evaluator, judge(evaluator, np.zeros(problem.linear.column_count))


def judge(evaluator: Evaluator, point: np.ndarray) -> Candidate:
    """Return a point on the dense network."""
    found = evaluator.evaluate(np.where(evaluator.problem.linear.integral, np.rint(point), point)[None])
    return Candidate(found.points[0], float(found.violation[0]), float(found.worth[0]))


def dense(model: object, prediction: PredictorConstraint, seconds: float) -> Trace:
    """Solve the dense model in HiGHS, from the start."""
    began, trace = time.monotonic(), list[tuple[float, float]]()
    written, evaluator, start = read(model, prediction)
    trace.append((time.monotonic() - began, start.worth))

    def replay(_: float, point: np.ndarray) -> None:
        found = judge(evaluator, point[: written.linear_columns])
        if found.feasible:
            trace.append((time.monotonic() - began, found.worth))

    with ChildSolver(Highs()) as solver:
        parameters = SolverParameters(time_limit=seconds - (time.monotonic() - began))
        result = solver.solve(written.model, parameters, start=written.start(start.point), on_incumbent=replay)
    return trace, result.dual_bound


def swaps(model: object, prediction: PredictorConstraint, seconds: float) -> Trace:
    """Search by flips and swaps to a local optimum, then from random choices again."""
    began, trace = time.monotonic(), list[tuple[float, float]]()
    _, evaluator, best = read(model, prediction)
    search = LocalSearch(evaluator, lambda point: point, np.random.default_rng(0))
    over = threading.Event()
    timer = threading.Timer(seconds, over.set)
    timer.start()
    trace.append((time.monotonic() - began, best.worth))
    start = best
    while not over.is_set():
        found = search.descend(start, over.is_set)
        if found.better_than(best):
            best = found
            trace.append((time.monotonic() - began, best.worth))
        start = search.disturb(best, best.point.size)
    timer.cancel()
    return trace, None


def surrogate(model: object, prediction: PredictorConstraint, seconds: float) -> Trace:
    """Run the whole of `solve_with_surrogate` with its default surrogate."""
    solution = solve_with_surrogate(model, prediction, time_limit=seconds)
    return [(item.seconds, item.objective) for item in solution.incumbents], solution.dual_bound


METHODS: dict[str, Callable[[object, PredictorConstraint, float], Trace]] = {
    "dense model": dense,
    "swap search": swaps,
    "solve_with_surrogate": surrogate,
}


def main() -> None:
    """Run every method on every instance and write one line an improvement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="limit of each run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results.csv")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows: list[dict[str, object]] = []
    for size in SIZES:
        for seed in range(arguments.seeds):
            network = train([int(part) for part in size.split("-")], seed)
            for kind in KINDS:
                for method, run in METHODS.items():
                    trace, bound = run(*build(kind, network, seed), arguments.seconds)
                    instance = {"kind": kind, "size": size, "seed": seed, "method": method, "limit": arguments.seconds}
                    rows += [instance | {"seconds": s, "objective": v, "dual_bound": bound} for s, v in trace]
                    print(kind, size, seed, method, len(trace), *trace[-1], bound, flush=True)
                pd.DataFrame(rows).to_csv(arguments.output, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
