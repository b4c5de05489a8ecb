"""Bound against time: dense MILP, relaxed models, the relaxed engine, CROWN and the LP relaxation, on margins.

``python -m benchmarks.relaxed_surrogate.run --data FOLDER`` writes ``results.csv``; the folder holds mnist.npz and
fashion_mnist.npz. Only instances that CROWN leaves open are run, and at most `--most` of them a network.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from formulations.big_m import BigM
from formulations.triangle import Triangle
from netopt.bounds.compute import compute_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.rows import bound_rows
from netopt.engines.engine import EngineResult, Maximization
from netopt.engines.milp import MilpEngine, solve_slack_model
from netopt.engines.objective import SlackObjective
from netopt.engines.relaxed import RelaxedEngine
from netopt.engines.relaxed_model import RelaxedModel
from netopt.engines.relaxed_rungs import Slack
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.problems.proving import BOUND_LIMIT
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.registry import get_solver
from netopt.solvers.solver import MilpSolver
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball

HERE = Path(__file__).resolve().parent
NETWORKS = HERE.parents[1] / "instances" / "networks"
#: Network, data, kind of domain and radius.
SERIES = (
    ("mnist-2x50", "mnist", "box", 0.025),
    ("mnist-2x50", "mnist", "l1", 3.0),
    ("fashion-2x50", "fashion_mnist", "box", 0.015),
    ("mnist-2x100", "mnist", "box", 0.025),
)
#: Label -> (rate, ties) of one relaxed model.
RELAXED = {
    "relaxed 1.0 + 100 ties": (1.0, 100),
    "relaxed 0.5 + 40 ties": (0.5, 40),
    "relaxed 0.3": (0.3, 0),
    "relaxed 0.15": (0.15, 0),
}
FIELDS = ("network", "domain", "radius", "image", "solver", "method", "bound", "ended", "nodes", "nonzeros", "seconds")


def main() -> None:
    """Run everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--most", type=int, default=3, help="open instances of each network")
    parser.add_argument("--first", type=int, default=10, help="test image to begin with")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--solver", default="highs")
    options = parser.parse_args()
    solver = get_solver(options.solver)
    with (HERE / "results.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, FIELDS, lineterminator="\n")
        table.writeheader()
        for name, data, kind, radius in SERIES:
            network = load_network(NETWORKS / f"{name}.onnx")
            found = _open_instances(network, options.data / f"{data}.npz", kind, radius, options.first)
            for (image, domain, objective, bounds, crown), _ in zip(found, range(options.most), strict=False):
                head = {"network": name, "domain": kind, "radius": radius, "image": image, "solver": solver.name}
                table.writerow(head | {"method": "crown", "bound": round(crown, 4)})
                for row in _methods(network, domain, objective, bounds, solver, options.seconds):
                    table.writerow(head | row)
                    file.flush()


def _open_instances(
    network: Network, data: Path, kind: str, radius: float, first: int
) -> Iterator[tuple[int, Domain, SlackObjective, PreactivationBounds, float]]:
    """Yield images the network classifies rightly and whose margin to the runner-up CROWN does not decide."""
    with np.load(data) as arrays:
        images, labels = arrays["x_test"].reshape(-1, 784) / 255.0, arrays["y_test"]
    for k in range(first, len(images)):
        x = images[k]
        logits = network.forward(x)
        label, other = int(labels[k]), int(np.argsort(logits)[-2])
        if logits.argmax() != label:
            continue
        domain = Box.ball(x, radius, 0.0, 1.0) if kind == "box" else L1Ball(x, radius, np.zeros(784), np.ones(784))
        weights = np.zeros((1, logits.size))
        weights[0, [other, label]] = 1.0, -1.0
        bounds = compute_bounds(network, domain)
        crown = float(bound_rows(network, domain, bounds, weights)[0])
        if 0.0 < crown < 4.0:
            yield k, domain, SlackObjective.linear(weights[0]), bounds, crown


def _methods(
    network: Network,
    domain: Domain,
    objective: SlackObjective,
    bounds: PreactivationBounds,
    solver: MilpSolver,
    seconds: float,
) -> Iterator[dict[str, object]]:
    """Yield one row a method; seconds are CPU seconds of this process, everything after the bounds charged."""
    problem = (network, domain, objective, bounds)
    parameters = SolverParameters(time_limit=seconds, bound_limit=BOUND_LIMIT)
    engines = {
        "lp": MilpEngine(solver, Triangle()),
        "dense": MilpEngine(solver, BigM()),
        "engine 0.3, 1 refinement": RelaxedEngine(solver, BigM(), (Slack(0.3, refinements=1),)),
    }
    for label, engine in engines.items():
        begun = time.process_time()
        yield _row(label, engine.maximize(Maximization(*problem, parameters)), begun, None)
    for label, (rate, ties) in RELAXED.items():
        begun = time.process_time()
        relaxed = RelaxedModel.split(*problem, BigM(), rate).tie(ties, _never, None)
        model = relaxed.build()
        answer = solve_slack_model(solver, model, parameters, begun=time.monotonic())
        yield _row(label, answer, begun, model.model.matrix.nnz)


def _never() -> bool:
    return False


def _row(label: str, answer: EngineResult, begun: float, nonzeros: int | None) -> dict[str, object]:
    return {
        "method": label,
        "bound": round(answer.dual_bound, 4),
        "ended": answer.termination.value,
        "nodes": answer.nodes,
        "nonzeros": "" if nonzeros is None else nonzeros,
        "seconds": round(time.process_time() - begun, 2),
    }


if __name__ == "__main__":
    main()
