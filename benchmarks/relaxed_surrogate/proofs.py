"""Seconds to `unsat`: the relaxed engine against the dense MILP, on robust margins that CROWN leaves open.

``python -m benchmarks.relaxed_surrogate.proofs --data FOLDER`` adds what is missing to ``proofs.csv``; the folder holds
mnist.npz and fashion_mnist.npz. Instances follow from the rule in `open_margins` alone. Seconds are CPU seconds of this
process, in which the solver runs, bounds excluded: all methods are given the same CROWN bounds.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from formulations.big_m import BigM
from netopt.attack.gradient_ascent import attack_case
from netopt.bounds.compute import compute_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.rows import bound_rows
from netopt.engines.engine import Maximization, NetworkSolver
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective
from netopt.engines.relaxed import RelaxedEngine
from netopt.engines.relaxed_rungs import Transferred
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.problems.proving import BOUND_LIMIT
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.specification.box import Box
from netopt.specification.property import Case

HERE = Path(__file__).resolve().parent
NETWORKS = HERE.parents[1] / "instances" / "networks"
#: Network -> data. The radii are the same for all.
SERIES = {
    "mnist-2x50": "mnist",
    "fashion-2x50": "fashion_mnist",
    "mnist-2x100": "mnist",
    "fashion-2x100": "fashion_mnist",
}
RADII = (0.01, 0.02, 0.03)
#: First test image, and how many are looked at for one network and radius.
FIRST, IMAGES = 1000, 100
#: Name -> engine.
ENGINES: dict[str, NetworkSolver] = {
    "dense": MilpEngine(Highs(), BigM()),
    "relaxed": RelaxedEngine(Highs(), BigM()),
    "sparse": RelaxedEngine(Highs(), BigM(), (Transferred(0.8), Transferred(0.5))),
}
KEY = ("network", "radius", "image", "method")
FIELDS = (*KEY, "crown", "unstable", "bound", "ended", "route", "nodes", "seconds", "wall")


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """The margin of the runner-up class over a box around an image."""

    name: str
    radius: float
    image: int
    network: Network
    box: Box
    objective: SlackObjective
    bounds: PreactivationBounds
    crown: float


def main() -> None:
    """Run what is not in the table yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--each", type=int, default=3, help="instances of each network and radius")
    parser.add_argument("--seconds", type=float, default=30.0, help="wall time of one run")
    parser.add_argument("--methods", nargs="+", choices=ENGINES, default=["dense", "relaxed"])
    options = parser.parse_args()
    path = HERE / "proofs.csv"
    done = set()
    if path.exists():
        with path.open(newline="") as file:
            done = {tuple(row[field] for field in KEY) for row in csv.DictReader(file)}
    series = [open_margins(name, options.data, radius) for name in SERIES for radius in RADII]
    rounds = itertools.islice(itertools.zip_longest(*series), options.each)  # so that a part of the run is balanced
    with path.open("a", newline="") as file:
        table = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if not done:
            table.writeheader()
        for instance, method in itertools.product(itertools.chain.from_iterable(rounds), options.methods):
            if instance is None:
                continue
            head = dict(zip(KEY, (instance.name, instance.radius, instance.image, method), strict=True))
            if tuple(map(str, head.values())) not in done:
                table.writerow(head | _run(instance, ENGINES[method], options.seconds))
                file.flush()


def open_margins(name: str, data: Path, radius: float) -> Iterator[Instance]:
    """Yield test images in order: classified rightly, CROWN's bound not below zero, no counterexample by gradients."""
    network = load_network(NETWORKS / f"{name}.onnx")
    with np.load(data / f"{SERIES[name]}.npz") as arrays:
        images, labels = arrays["x_test"].reshape(-1, 784) / 255.0, arrays["y_test"]
    for image in range(FIRST, FIRST + IMAGES):
        logits = network.forward(images[image])
        label, other = int(labels[image]), int(np.argsort(logits)[-2])
        if logits.argmax() != label:
            continue
        box = Box.ball(images[image], radius, 0.0, 1.0)
        weights = np.zeros(logits.size)
        weights[[other, label]] = 1.0, -1.0
        bounds = compute_bounds(network, box)
        crown = float(bound_rows(network, box, bounds, weights[None])[0])
        if crown < 0.0:
            continue
        objective = SlackObjective.linear(weights)
        case = Case(box, (objective.conjunction,))
        if attack_case(network, case, generator=np.random.default_rng(0), rounds=2).value < 0.0:
            yield Instance(name, radius, image, network, box, objective, bounds, crown)


def _run(instance: Instance, engine: NetworkSolver, seconds: float) -> dict[str, object]:
    wall, begun = time.monotonic(), time.process_time()
    answer = engine.maximize(
        Maximization(
            instance.network,
            instance.box,
            instance.objective,
            instance.bounds,
            SolverParameters(time_limit=seconds, bound_limit=BOUND_LIMIT),
        )
    )
    return {
        "crown": round(instance.crown, 4),
        "unstable": instance.bounds.unstable_count,
        "bound": f"{answer.dual_bound:.6g}",
        "ended": answer.termination.value,
        "route": answer.name,
        "nodes": answer.nodes,
        "seconds": round(time.process_time() - begun, 3),
        "wall": round(time.monotonic() - wall, 3),
    }


if __name__ == "__main__":
    main()
