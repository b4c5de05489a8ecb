"""Tickets of given networks against ranked neurons, at equal numbers of neurons kept in every layer.

`errors`: how far the pruned network is from the dense one over a box, relative to what the dense one varies: at uniform
points, and at vertices where an output is extreme; neurons left unstable (CROWN); seconds of one core for pruning.
`search`: the runner-up's output minus the top one's is maximized over the *pruned* network by HiGHS; the point found is
worth its value on the *dense* network, 0 for the box's centre and 1 for what gradient ascent finds there.

Usage: python benchmarks/tickets/given/run.py errors|search [--networks NAME ...] [--rates R ...] [-o FILE.csv]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from netopt.arrays import FloatArray
from netopt.attack.gradient_ascent import ascend_linear
from netopt.bounds.crown import crown_bounds
from netopt.network.gradient import value_and_gradient
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.problems.maximization import maximize
from netopt.pruning.prune import prune
from netopt.specification.box import Box
from netopt.specification.vnnlib import read_vnnlib

HERE = Path(__file__).resolve().parent
INSTANCES = HERE.parents[2] / "instances"
METHODS = ("neuron-random", "neuron-norm", "neuron-width", "ticket", "ticket-rescaled")
NETWORKS = {"errors": ["mnist-2x256", "fashion-2x256", "mnist-4x100", "mnist-cnn"], "search": ["mnist-2x256"]}
RATES = {"errors": [0.5, 0.7, 0.9], "search": [0.8, 0.9]}
POINTS = 2000


def boxes(name: str, radii: tuple[float, ...], images: int) -> dict[str, Box]:
    """Return boxes around the first images of a network's data."""
    found = {}
    for image in range(images):
        path = INSTANCES / "properties" / f"{name.split('-')[0]}-img{image}-eps0.03.vnnlib.gz"
        center = _image(read_vnnlib(path).cases[0].domain.lower, 0.03)
        found |= {f"radius {radius:g}, image {image}": Box.ball(center, radius, 0.0, 1.0) for radius in radii}
    return found


def _image(lower: FloatArray, radius: float) -> FloatArray:
    """Return the image whose box, cut to [0, 1], begins at `lower`; pixels below the radius count as black."""
    return np.where(lower > 0.0, np.minimum(lower + radius, 1.0), 0.0)


def extreme_points(network: Network, box: Box, generator: np.random.Generator) -> FloatArray:
    """Return vertices that the gradients of random combinations of the outputs point to."""
    combinations = generator.standard_normal((POINTS, network.output_size))
    return box.maximizer(value_and_gradient(network, box.sample(generator, POINTS), combinations)[1])


def errors(network: Network, name: str, rates: list[float]) -> Iterator[dict[str, object]]:
    """Yield a row for every box, rate and method."""
    size = network.input_size
    for label, box in {"unit": Box(np.zeros(size), np.ones(size)), **boxes(name, (0.03, 0.1), 1)}.items():
        generator = np.random.default_rng(1)
        groups = (box.sample(generator, POINTS), extreme_points(network, box, generator))
        dense = [network.forward(points) for points in groups]
        bounds = crown_bounds(network, box)
        for rate in rates:
            for method in METHODS:
                begun = time.process_time()
                pruned = prune(network, method, rate, domain=box, bounds=bounds).network
                seconds = time.process_time() - begun
                uniform, extreme = (
                    np.square(pruned.forward(points) - y).sum(axis=1).mean() / y.var(axis=0).sum()
                    for points, y in zip(groups, dense, strict=True)
                )
                yield {
                    "domain": label,
                    "rate": rate,
                    "method": method,
                    "uniform": uniform,
                    "extreme": extreme,
                    "unstable": crown_bounds(pruned, box).unstable_count,
                    "dense_unstable": bounds.unstable_count,
                    "prune_seconds": seconds,
                }


def search(network: Network, name: str, rates: list[float], limit: float) -> Iterator[dict[str, object]]:
    """Yield a row for every image, rate and method, and one for the dense network."""
    for label, box in boxes(name, (0.05,), 3).items():
        center = network.forward(box.center)
        second, top = np.argsort(center)[-2:]
        weights = np.eye(center.size)[second] - np.eye(center.size)[top]
        best = network.forward(ascend_linear(network, box, weights, generator=np.random.default_rng(0))[0]) @ weights
        bounds = crown_bounds(network, box)
        for method, rate in [("dense", 0.0), *((method, rate) for rate in rates for method in METHODS)]:
            begun = time.process_time()
            candidate = network
            if method != "dense":
                candidate = prune(network, method, rate, domain=box, bounds=bounds).network
            found = maximize(candidate, box, weights=weights, solver="highs", time_limit=limit, isolate=False)
            value = np.nan if found.x is None else float(network.forward(found.x) @ weights)
            yield {
                "domain": label,
                "rate": rate,
                "method": method,
                "status": found.status.value,
                "seconds": time.process_time() - begun,
                "worth": (value - float(center @ weights)) / float(best - center @ weights),
            }


def main() -> None:
    """Measure and print means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["errors", "search"])
    parser.add_argument("-o", "--output", type=Path, help="default: PART.csv beside this script")
    parser.add_argument("--networks", nargs="+", help="names of networks of instances/")
    parser.add_argument("--rates", nargs="+", type=float, help="shares of the neurons removed")
    parser.add_argument("--limit", type=float, default=12.0, help="seconds of a search")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    for name in options.networks or NETWORKS[options.part]:
        network = load_network(INSTANCES / "networks" / f"{name}.onnx")
        rates = options.rates or RATES[options.part]
        found = (
            errors(network, name, rates) if options.part == "errors" else search(network, name, rates, options.limit)
        )
        for row in found:
            rows.append({"network": name, **row})
            pd.DataFrame(rows).to_csv(options.output or HERE / f"{options.part}.csv", index=False, float_format="%.5g")
        print(f"{name} done", flush=True)
    table = pd.DataFrame(rows)
    table["domain"] = table["domain"].str.partition(",")[0]
    print(
        table.groupby(["network", "domain", "rate", "method"], sort=False).mean(numeric_only=True).round(4).to_string()
    )


if __name__ == "__main__":
    main()
