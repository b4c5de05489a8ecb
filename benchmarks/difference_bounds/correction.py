"""Does ``g + (midpoint of the linear bounds of f - g)`` lead to better points of f than g alone? Writes correction.csv.

``correction.py --data MNIST.npz --fashion FASHION.npz [--images 2] [--seconds 4] NET.onnx ...``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from problems import Margin, margins

from formulations.big_m import BigM
from netopt.bounds.crown import crown_bounds
from netopt.bounds.difference import difference_bounds
from netopt.engines.engine import Maximization
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective
from netopt.engines.transferred import corrected
from netopt.pruning.prune import prune
from netopt.reduction.reduce import Reduction, reduce_network
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters

HERE = Path(__file__).resolve().parent
ENGINE = MilpEngine(Highs(), BigM())
RATES = (0.5, 0.8, 0.9)


def best_dense(problem: Margin, reduction: Reduction, objective: SlackObjective, seconds: float) -> float:
    """Return the best value on the dense network of all incumbents of the sparse one."""
    points = [problem.domain.center]
    answer = ENGINE.maximize(
        Maximization(
            reduction.network,
            problem.domain,
            objective,
            reduction.bounds,
            SolverParameters(time_limit=seconds),
            start=problem.domain.center,
            on_point=points.append,
        )
    )
    points += [] if answer.point is None else [answer.point]
    return float((problem.network.forward(np.array(points)) @ problem.weights).max())


def main() -> None:
    """Maximise with and without the correction at every rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fashion", type=Path, required=True)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("networks", type=Path, nargs="+")
    asked = parser.parse_args()
    rows = []
    for problem in margins(asked.networks, {"": asked.data, "fashion": asked.fashion}, asked.images):
        for rate in RATES:
            pruned = prune(problem.network, "domain-aware", rate, domain=problem.domain, bounds=problem.bounds).network
            bounds = crown_bounds(pruned, problem.domain)
            differences = difference_bounds(problem.network, pruned, problem.domain, problem.bounds, bounds)
            reduction = reduce_network(pruned, problem.domain, bounds)
            plain = best_dense(problem, reduction, SlackObjective.linear(problem.weights), asked.seconds)
            moved = best_dense(
                problem, reduction, corrected(SlackObjective.linear(problem.weights), differences), asked.seconds
            )
            center = float(problem.network.forward(problem.domain.center) @ problem.weights)
            rows.append(problem.label | {"rate": rate, "center": center, "plain": plain, "corrected": moved})
        pd.DataFrame(rows).round(4).to_csv(HERE / "correction.csv", index=False)
        print(rows[-len(RATES) :], flush=True)


if __name__ == "__main__":
    main()
