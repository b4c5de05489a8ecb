"""Whether surrogates rank points as the dense network does, with and without its slope.

For the networks of ``choice`` pruned at 0.8: the correlation of surrogate and network over points, without slope, with
the slope halfway between bounds of the difference, and with the slope of the difference at a good point. The points
exchange 1 or 3 treatments of the good one, or choose as many at random.

Usage: python benchmarks/surrogate_embedding/slopes.py [--first-seed 2] [--seeds 2]
"""

from __future__ import annotations

import argparse

import numpy as np
from models import SIZES, train

from netopt import Network
from netopt.embedding.correction import slope_at, slope_over
from netopt.pruning.apply import apply_mask, node_values
from netopt.pruning.prune import prune
from netopt.specification.box import Box
from netopt.tightening.levels import tighten

_POINTS = 2000


def good_point(network: Network) -> np.ndarray:
    """Return the choice of a fifth of the treatments that adding the best one each time leads to."""
    point, every = np.zeros(network.input_size), np.eye(network.input_size)
    for _ in range(network.input_size // 5):
        point = np.maximum(point, every[network.forward(np.maximum(point, every))[:, 0].argmax()])
    return point


def exchanged(point: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Return the point with `count` treatments taken out and as many others put in."""
    points = np.tile(point, (_POINTS, 1))
    for row in points:
        row[generator.choice(np.flatnonzero(point > 0.5), count, replace=False)] = 0.0
        row[generator.choice(np.flatnonzero(point < 0.5), count, replace=False)] = 1.0
    return points


def correlations(network: Network, generator: np.random.Generator) -> list[list[float]]:
    """Return a row for each set of points, a column for each slope."""
    box, point = Box(np.zeros(network.input_size), np.ones(network.input_size)), good_point(network)
    bounds = tighten(network, box, "crown")
    mask = prune(network, "domain-aware", 0.8, domain=box, bounds=bounds).mask
    sparse = apply_mask(network, mask, node_values(network, point))
    halfway = slope_over(network, sparse, box, bounds, tighten(sparse, box, "crown"))[0]
    slopes = [np.zeros_like(halfway), halfway, slope_at(network, sparse, point)[0]]
    sets = [exchanged(point, 1, generator), exchanged(point, 3, generator)]
    sets.append(np.stack([generator.permutation(point) for _ in range(_POINTS)]))
    return [
        [
            float(np.corrcoef(network.forward(points)[:, 0], sparse.forward(points)[:, 0] + points @ slope)[0, 1])
            for slope in slopes
        ]
        for points in sets
    ]


def main() -> None:
    """Print the Markdown table, means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first-seed", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    print("| network | points | no slope | halfway between bounds | at the point |\n|---|---|---|---|---|")
    for size in SIZES:
        found = [
            correlations(train("choice", [int(part) for part in size.split("-")], seed), np.random.default_rng(seed))
            for seed in seeds
        ]
        for name, row in zip(("1 exchanged", "3 exchanged", "random"), np.mean(found, axis=0), strict=True):
            print(f"| {size} | {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |")


if __name__ == "__main__":
    main()
