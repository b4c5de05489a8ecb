"""Best values over time of netopt's primal heuristics and of a plain sign-gradient ascent: one CSV row a run.

    python benchmarks/primal_heuristics/run.py results.csv --data FOLDER_WITH_MNIST_NPZ [--cpu-clock]

One core: set OPENBLAS_NUM_THREADS=1 and OMP_NUM_THREADS=1. With --cpu-clock seconds are those of this process's CPU
time, for machines that are not quiet.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from yardstick import sign_ascent

from netopt.attack.ascent import Best
from netopt.attack.gradient_ascent import ascend_linear
from netopt.attack.improve import improve
from netopt.attack.objective import SlackBatch
from netopt.attack.portfolio import portfolio
from netopt.attack.root_lp import RootLp
from netopt.attack.walk import walk
from netopt.bounds.crown import crown_bounds
from netopt.network.build import from_weights
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball

MARKS = (1.0, 3.0, 10.0)
SHAPES = {"1000,100x3": (1000, 100, 3), "1000,200x3": (1000, 200, 3), "10000,100x5": (10000, 100, 5)}
NETWORKS = Path(__file__).resolve().parents[2] / "instances" / "networks"


class Problem(NamedTuple):
    """Maximise ``weights @ y`` over a domain."""

    name: str
    network: Network
    domain: Domain
    weights: np.ndarray


def random_problems(seeds: list[int]) -> Iterator[Problem]:
    """Yield networks with torch's default initialisation, U(-1/sqrt(fan-in), 1/sqrt(fan-in)), over [0, 1]^n."""
    for name, (inputs, width, depth) in SHAPES.items():
        for seed in seeds:
            rng = np.random.default_rng(seed)
            sizes = [inputs] + [width] * depth + [1]
            weights, biases = [], []
            for a, b in pairwise(sizes):
                weights.append(rng.uniform(-1.0, 1.0, (b, a)) / np.sqrt(a))
                biases.append(rng.uniform(-1.0, 1.0, b) / np.sqrt(a))
            network = from_weights(weights, biases)
            yield Problem(f"{name} seed {seed}", network, Box(np.zeros(inputs), np.ones(inputs)), np.ones(1))


def image_problems(data: Path, names: list[str], images: list[int]) -> Iterator[Problem]:
    """Yield margins of the runner-up over the label around test images that the network classifies correctly."""
    with np.load(data / "mnist.npz") as file:
        points, labels = file["x_test"].reshape(-1, 784) / 255.0, file["y_test"]
    for name in names:
        network = load_network(NETWORKS / f"{name}.onnx")
        for image in images:
            order = np.argsort(-network.forward(points[image]))
            if order[0] != labels[image]:
                continue
            weights = np.zeros(10)
            weights[order[1]], weights[order[0]] = 1.0, -1.0
            low, high = np.zeros(784), np.ones(784)
            yield Problem(f"{name} image {image} Linf 0.04", network, Box.ball(points[image], 0.04, low, high), weights)
            yield Problem(f"{name} image {image} L1 5", network, L1Ball(points[image], 5.0, low, high), weights)


def walks(problem: Problem, end: float) -> None:
    """Walk from the centre and then from random members until the time is up."""
    generator = np.random.default_rng(0)
    objective = SlackBatch.linear(problem.weights)
    best = Best.empty(1, problem.domain.dimension)
    start = problem.domain.center
    while time.monotonic() < end:
        walk(
            problem.network,
            problem.domain,
            objective,
            0,
            start,
            best=best,
            stopped=lambda: time.monotonic() >= end,
            generator=generator,
            deadline=end,
        )
        start = problem.domain.sample(generator, 1)[0]


def root_polished(problem: Problem, end: float) -> None:
    """Improve the root relaxation's point; bounds and relaxation are charged."""
    objective = SlackBatch.linear(problem.weights)
    bounds = crown_bounds(problem.network, problem.domain)
    root = RootLp(problem.network, problem.domain, objective, 0, bounds, lambda: False, end)
    point = root.solve()
    if point is not None:
        generator = np.random.default_rng(0)
        improve(problem.network, problem.domain, objective, point[None], deadline=end, generator=generator)


def restarts(problem: Problem, end: float) -> None:
    """Run the multi-start Auto-PGD ascent alone."""
    generator = np.random.default_rng(0)
    ascend_linear(problem.network, problem.domain, problem.weights, generator=generator, deadline=end)


def together(problem: Problem, end: float) -> None:
    """Run the portfolio."""
    objective = SlackBatch.linear(problem.weights)
    portfolio(problem.network, problem.domain, objective, generator=np.random.default_rng(0), deadline=end)


def plain(problem: Problem, end: float, note: Callable[[float], None]) -> None:
    """Run the yardstick."""
    sign_ascent(problem.network, problem.domain, problem.weights, end, note)


class Trace:
    """Takes note of every value that `Best.update` is shown, with its time."""

    def __init__(self) -> None:
        self.begun, self.steps = 0.0, [(0.0, -np.inf)]
        shown = Best.update

        def update(best: Best, points: np.ndarray, values: np.ndarray) -> None:
            shown(best, points, values)
            self.note(float(values[:, 0].max()))

        Best.update = update  # every heuristic reports through it; nothing else sees intermediate points

    def start(self) -> float:
        """Forget what was seen and return the time."""
        self.begun, self.steps = time.monotonic(), [(0.0, -np.inf)]
        return self.begun

    def note(self, value: float) -> None:
        """Take note of a value."""
        if value > self.steps[-1][1]:
            self.steps.append((time.monotonic() - self.begun, value))

    def at(self, seconds: float) -> float:
        """Return the best value seen up to a time."""
        return max(value for when, value in self.steps if when <= seconds)


def main() -> None:
    """Run every method on every problem."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=[50, 51])
    parser.add_argument("--networks", nargs="*", default=["mnist-2x50", "mnist-4x100"])
    parser.add_argument("--images", type=int, nargs="*", default=[0, 2, 3])
    parser.add_argument("--cpu-clock", action="store_true")
    options = parser.parse_args()
    if options.cpu_clock:
        time.monotonic = time.process_time
    trace = Trace()
    methods = {
        "sign ascent": partial(plain, note=trace.note),
        "restarts": restarts,
        "walk": walks,
        "root LP": root_polished,
        "portfolio": together,
    }
    problems = [*random_problems(options.seeds), *image_problems(options.data, options.networks, options.images)]
    with options.out.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["problem", "method", *(f"value_{mark:g}s" for mark in MARKS)])
        for problem in problems:
            for name, method in methods.items():
                method(problem, trace.start() + MARKS[-1])
                values = [trace.at(mark) for mark in MARKS]
                writer.writerow([problem.name, name, *(f"{value:.6f}" for value in values)])
                file.flush()
                print(problem.name, name, *(f"{value:.4f}" for value in values), flush=True)


if __name__ == "__main__":
    main()
