"""Measure how long a sparse surrogate takes to be ready for a solver.

``python benchmarks/preparation/run.py`` measures every step from the dense network to the arrays of the model, writes
results.csv and puts the table into README.md.
"""

# ruff: noqa: E402 - the matrix library reads its number of threads when numpy is first imported

from __future__ import annotations

import argparse
import csv
import itertools
import os
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
import pandas as pd

from formulations.big_m import BigM
from netopt.bounds.crown import crown_bounds
from netopt.encoding.encode import encode
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.pruning.prune import prune
from netopt.reduction import reduce_network
from netopt.specification.box import Box

HERE = Path(__file__).parent
WIDTHS = (784, 512, 512, 512, 10)
METHODS = ("magnitude", "domain-aware")
RADII = (0.01, 0.03, 0.1, 1.0)
RATE = 0.9
STEPS = ("prune", "bounds", "reduce", "encode")


def make_network(seed: int, widths: tuple[int, ...] = WIDTHS) -> Network:
    """Return an untrained network with the weights PyTorch starts from."""
    generator = np.random.default_rng(seed)
    weights, biases = [], []
    for inner, outer in itertools.pairwise(widths):
        weights.append(generator.uniform(-1.0, 1.0, size=(outer, inner)) / np.sqrt(inner))
        biases.append(generator.uniform(-1.0, 1.0, size=outer) / np.sqrt(inner))
    return from_weights(weights, biases)


def prepare(network: Network, box: Box, method: str) -> dict[str, float]:
    """Prune, bound, reduce and write a network; return the seconds of each step and the sizes."""
    wall = time.perf_counter()
    clock = [time.process_time()]
    pruned = prune(network, method, RATE, domain=box)
    clock.append(time.process_time())
    bounds = crown_bounds(pruned.network, box)
    clock.append(time.process_time())
    reduction = reduce_network(pruned.network, box, bounds)
    clock.append(time.process_time())
    encoding = encode(reduction.network, box, reduction.bounds, BigM())
    model = encoding.builder.build()
    clock.append(time.process_time())
    seconds = dict(zip(STEPS, np.diff(clock).tolist(), strict=True))
    return {
        **seconds,
        "cpu_seconds": clock[-1] - clock[0],
        "wall_seconds": time.perf_counter() - wall,
        "weights_before": reduction.before.weights,
        "weights_after": reduction.after.weights,
        "neurons_before": reduction.before.neurons,
        "neurons_after": reduction.after.neurons,
        "binaries": encoding.binary_count,
        "rows": model.row_count,
        "nonzeros": int(model.matrix.nnz),
    }


def table(results: pd.DataFrame) -> str:
    """Return the medians as a Markdown table."""
    medians = results.groupby(["method", "radius"]).median(numeric_only=True).reset_index()
    lines = [
        "| method | radius | prune | bounds | reduce | encode | CPU s in all | neurons | weights | binaries |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in medians.to_dict("records"):
        steps = " | ".join(f"{row[step]:.3f}" for step in STEPS)
        neurons = f"{row['neurons_before']:.0f} -> {row['neurons_after']:.0f}"
        weights = f"{row['weights_before']:,.0f} -> {row['weights_after']:,.0f}"
        lines.append(
            f"| {row['method']} | {row['radius']:g} | {steps} | **{row['cpu_seconds']:.3f}** | {neurons} | {weights}"
            f" | {row['binaries']:.0f} |"
        )
    worst = results["cpu_seconds"].max()
    return "\n".join(
        [*lines, "", f"Medians of {len(results) // len(medians)} runs each; the slowest took {worst:.3f} s."]
    )


def update_readme(text: str) -> None:
    """Put the table between the marks of README.md."""
    path = HERE / "README.md"
    head, _, rest = path.read_text().partition("<!-- table -->")
    _, _, tail = rest.partition("<!-- /table -->")
    path.write_text(f"{head}<!-- table -->\n{text}\n<!-- /table -->{tail}")


def main() -> None:
    """Measure, and rewrite the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=3, help="seeds of networks (default 3)")
    parser.add_argument("--runs", type=int, default=3, help="repetitions of each (default 3)")
    options = parser.parse_args()
    tiny = make_network(0, (8, 8, 8, 2))
    for method in METHODS:  # lazy imports are not what is measured
        prepare(tiny, Box(np.zeros(8), np.ones(8)), method)
    rows = []
    for seed, method, radius in itertools.product(range(options.networks), METHODS, RADII):
        network = make_network(seed)
        center = np.random.default_rng(seed).uniform(size=WIDTHS[0])
        box = Box.ball(center, radius, 0.0, 1.0)
        for run in range(options.runs):
            rows.append({"seed": seed, "method": method, "radius": radius, "run": run, **prepare(network, box, method)})
    with (HERE / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    text = table(pd.DataFrame(rows))
    update_readme(text)
    print(text)


if __name__ == "__main__":
    main()
