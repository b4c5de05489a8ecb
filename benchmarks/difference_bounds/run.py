"""Dual bounds by transfer against the direct ones on the dense network; see README.md. Writes results.csv.

``run.py --data MNIST.npz --fashion FASHION.npz [--images 2] [--seconds 4] NET.onnx ...``
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from problems import Margin, margins

from formulations.big_m import BigM
from netopt.bounds.rows import bound_rows
from netopt.engines.engine import EngineResult, Maximization, NetworkSolver
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective
from netopt.engines.transfer import TransferEngine
from netopt.reduction.reduce import reduce_network
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters

HERE = Path(__file__).resolve().parent
ENGINE = MilpEngine(Highs(), BigM())
#: (method, rate, form): domain-aware at all rates, other forms and magnitude for comparison.
ROUTES = [("domain-aware", rate, "neurons") for rate in (0.1, 0.3, 0.5, 0.8, 0.9)]
ROUTES += [("domain-aware", rate, "linear") for rate in (0.5, 0.8, 0.9)]
ROUTES += [("domain-aware", 0.5, "constant"), ("magnitude", 0.5, "neurons"), ("magnitude", 0.8, "neurons")]


@dataclass(frozen=True)
class Reduced:
    """The dense network, reduced exactly: what a sparse network is to be compared with."""

    name: str = "dense"

    def maximize(self, problem: Maximization) -> EngineResult:
        """See `netopt.engines.engine.NetworkSolver`."""
        reduction = reduce_network(problem.network, problem.domain, problem.bounds)
        return ENGINE.maximize(replace(problem, network=reduction.network, bounds=reduction.bounds))


def traced(engine: NetworkSolver, problem: Margin, seconds: float) -> tuple[list[tuple[float, float]], bool]:
    """Return (CPU seconds, bound) whenever the bound fell, last when the call ended; and whether it was solved."""
    trace: list[tuple[float, float]] = []
    began = time.process_time()
    answer = engine.maximize(
        Maximization(
            problem.network,
            problem.domain,
            SlackObjective.linear(problem.weights),
            problem.bounds,
            SolverParameters(time_limit=seconds),
            on_bound=lambda bound: trace.append((time.process_time() - began, bound)),
        )
    )
    trace.append((time.process_time() - began, answer.dual_bound))
    return trace, answer.termination.value != "time_limit"


def at(trace: list[tuple[float, float]], seconds: float) -> float:
    """Return the bound known at a time."""
    return min((bound for when, bound in trace if when <= seconds), default=np.inf)


def main() -> None:
    """Run every route on every problem, each beside the dense MILP stopped at the same CPU time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fashion", type=Path, required=True)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("networks", type=Path, nargs="+")
    asked = parser.parse_args()
    rows = []
    for problem in margins(asked.networks, {"": asked.data, "fashion": asked.fashion}, asked.images):
        crown = float(bound_rows(problem.network, problem.domain, problem.bounds, problem.weights[None])[0])
        dense, solved = traced(Reduced(), problem, asked.seconds)
        label = problem.label | {"crown": crown, "dense": min(crown, dense[-1][1]), "dense_seconds": dense[-1][0]}
        label |= {"dense_solved": solved, "unstable": problem.bounds.unstable_count}
        for method, rate, form in ROUTES:
            trace, route_solved = traced(TransferEngine(ENGINE, method, rate, form), problem, asked.seconds)
            seconds, bound = trace[-1]
            row = label | {"method": method, "rate": rate, "form": form, "seconds": seconds, "bound": bound}
            row |= {"solved": route_solved, "dense_then": min(crown, at(dense, seconds))}
            row |= {"ahead_at_half_second": bool(at(trace, 0.5) < min(crown, at(dense, 0.5)) - 1e-3)}
            rows.append(row)
        pd.DataFrame(rows).round(4).to_csv(HERE / "results.csv", index=False)
        print(problem.label, f"crown {crown:.3f} dense {dense[-1][1]:.3f}", flush=True)


if __name__ == "__main__":
    main()
