"""Time to a good solution of a model with a network in it: the dense model, swap search, and `solve_with_surrogate`.

All three start from the same point (all decisions 0, completed by a forward pass), are charged for reading and writing
the model and for starting processes, and run on one core. Values are those of the dense network. Runs that the output
file already holds are not repeated.

Usage: python benchmarks/surrogate_embedding/run.py [--sizes SIZE ...] [--kinds KIND ...] [--first-seed 2] [--seeds 2]
           [--seconds 60] [-o results.csv]
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable
from itertools import product
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
#: Seconds after which the time of a child that was killed counts.
_BURIAL = 0.5
#: (seconds, objective on the dense network, where it came from) of every improvement, and the dual bound.
Trace = tuple[list[tuple[float, float, str]], float | None]


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
    began, trace = time.monotonic(), list[tuple[float, float, str]]()
    written, evaluator, start = read(model, prediction)
    trace.append((time.monotonic() - began, start.worth, "start"))

    def replay(_: float, point: np.ndarray) -> None:
        found = judge(evaluator, point[: written.linear_columns])
        if found.feasible:
            trace.append((time.monotonic() - began, found.worth, "dense"))

    with ChildSolver(Highs()) as solver:
        parameters = SolverParameters(time_limit=seconds - (time.monotonic() - began))
        result = solver.solve(written.model, parameters, start=written.start(start.point), on_incumbent=replay)
    return trace, result.dual_bound


def swaps(model: object, prediction: PredictorConstraint, seconds: float) -> Trace:
    """Search by flips and swaps to a local optimum, then from random choices again."""
    began, trace = time.monotonic(), list[tuple[float, float, str]]()
    _, evaluator, best = read(model, prediction)
    search = LocalSearch(evaluator, lambda point: point, np.random.default_rng(0))
    over = threading.Event()
    timer = threading.Timer(seconds, over.set)
    timer.start()
    trace.append((time.monotonic() - began, best.worth, "start"))
    start = best
    while not over.is_set():
        found = search.descend(start, over.is_set)
        if found.better_than(best):
            best = found
            trace.append((time.monotonic() - began, best.worth, "swaps"))
        start = search.disturb(best, best.point.size)
    timer.cancel()
    return trace, None


def surrogate(model: object, prediction: PredictorConstraint, seconds: float) -> Trace:
    """Run the whole of `solve_with_surrogate` with its default surrogate."""
    solution = solve_with_surrogate(model, prediction, time_limit=seconds)
    return [(item.seconds, item.objective, item.origin) for item in solution.incumbents], solution.dual_bound


METHODS: dict[str, Callable[[object, PredictorConstraint, float], Trace]] = {
    "dense model": dense,
    "swap search": swaps,
    "solve_with_surrogate": surrogate,
}


def compared(kind: str) -> list[str]:
    """Return the methods to run: swap search changes no continuous decision, so a plant would stay at its start."""
    return [name for name in METHODS if kind != "plant" or name != "swap search"]


def cpu_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Run every method on every instance and write one line an improvement.

    `core_share` is the share of the core a run got: below 1 where the machine had other work.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seconds", type=float, default=60.0, help="limit of each run")
    parser.add_argument("--first-seed", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2, help="number of seeds, from the first on")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results.csv")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = pd.read_csv(arguments.output).to_dict("records") if arguments.output.exists() else []
    done = {(row["kind"], row["size"], row["seed"], row["method"]) for row in rows}
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    for size, seed, kind in product(arguments.sizes, seeds, arguments.kinds):
        waiting = [method for method in compared(kind) if (kind, size, seed, method) not in done]
        if not waiting:
            continue
        network = train(kind, [int(part) for part in size.split("-")], seed)
        for method in waiting:
            wall, cpu = time.monotonic(), cpu_seconds()
            trace, bound = METHODS[method](*build(kind, network, seed), arguments.seconds)
            time.sleep(_BURIAL)
            share = (cpu_seconds() - cpu) / (time.monotonic() - wall - _BURIAL)
            instance = {"kind": kind, "size": size, "seed": seed, "method": method, "limit": arguments.seconds}
            instance["core_share"] = round(share, 3)
            rows += [instance | {"seconds": s, "objective": v, "origin": o, "dual_bound": bound} for s, v, o in trace]
            print(kind, size, seed, method, len(trace), *trace[-1], bound, flush=True)
            pd.DataFrame(rows).to_csv(arguments.output, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
