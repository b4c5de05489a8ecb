"""How close sparse networks are to the dense one over a domain, by method, and what a sparse maximizer is worth.

Domains: L-infinity boxes and L1 balls around images. Points: random members, extreme points of random directions, and
maximizers of the outputs' gradients. The objective is the runner-up's output minus the top one's; the sparse network's
best point comes from a short gradient ascent, the same for every network.

Usage: python benchmarks/pruning_masks/run.py [--networks NAME ...] [--balls] [-o results.csv]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from netopt.arrays import FloatArray
from netopt.attack.gradient_ascent import ascend_linear
from netopt.bounds.crown import crown_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.gradient import value_and_gradient
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.pruning.prune import prune
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball
from netopt.specification.vnnlib import read_vnnlib

HERE = Path(__file__).resolve().parent
INSTANCES = HERE.parents[1] / "instances"
IMAGES = {"mnist": (0, 1, 2), "fashion": (0, 1, 2)}
RATES = (0.5, 0.8, 0.9)
#: label -> (method, folded)
VARIANTS = {
    "magnitude, not folded": ("magnitude", False),
    "magnitude": ("magnitude", True),
    "lamp": ("lamp", True),
    "domain-aware": ("domain-aware", True),
    "global-domain-aware": ("global-domain-aware", True),
    "neuron-width": ("neuron-width", True),
}


def domains(data: str, balls: bool) -> dict[str, Domain]:
    """Return boxes of radius 0.03 around images of a data set, or L1 balls of radius 5."""
    found: dict[str, Domain] = {}
    for image in IMAGES[data]:
        box = read_vnnlib(INSTANCES / "properties" / f"{data}-img{image}-eps0.03.vnnlib.gz").cases[0].domain
        size = box.dimension
        found[f"image {image}"] = L1Ball(box.center, 5.0, np.zeros(size), np.ones(size)) if balls else box
    return found


def points_of(network: Network, domain: Domain) -> FloatArray:
    """Return points to compare two networks at."""
    generator = np.random.default_rng(0)
    outputs = np.eye(network.output_size)
    slopes = value_and_gradient(network, np.repeat(domain.center[None], outputs.shape[0], axis=0), outputs)[1]
    extreme = domain.maximizer(np.concatenate([slopes, -slopes, generator.normal(size=(100, domain.dimension))]))
    return np.concatenate([domain.sample(generator, 200), extreme])


def best_point(network: Network, domain: Domain, weights: FloatArray) -> FloatArray:
    """Return the best point of one round of ascent."""
    return ascend_linear(network, domain, weights, generator=np.random.default_rng(0), rounds=1)[0]


def measure(network: Network, domain: Domain) -> list[dict[str, object]]:
    """Compare every variant with the dense network."""
    bounds: PreactivationBounds = crown_bounds(network, domain)
    center = network.forward(domain.center)
    second, top = np.argsort(center)[-2:]
    weights = np.eye(center.size)[second] - np.eye(center.size)[top]
    points = points_of(network, domain)
    dense = network.forward(points)
    at_center = float(center @ weights)
    gain = float(network.forward(best_point(network, domain, weights)) @ weights) - at_center
    rows: list[dict[str, object]] = []
    for label, (method, fold) in VARIANTS.items():
        for rate in RATES:
            sparse = prune(network, method, rate, domain=domain, bounds=bounds, fold=fold).network
            found = network.forward(best_point(sparse, domain, weights)) @ weights
            rows.append(
                {
                    "variant": label,
                    "rate": rate,
                    "binaries": crown_bounds(sparse, domain).unstable_count,
                    "dense_binaries": bounds.unstable_count,
                    "largest_difference": float(np.abs(sparse.forward(points) - dense).max()),
                    "worth": (float(found) - at_center) / gain,
                }
            )
    return rows


def main() -> None:
    """Measure the networks over their domains; print means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results.csv")
    parser.add_argument("--networks", nargs="+", default=["mnist-2x50"], help="names of networks of instances/")
    parser.add_argument("--balls", action="store_true", help="L1 balls in place of boxes; takes ten times as long")
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    for name in arguments.networks:
        network = load_network(INSTANCES / "networks" / f"{name}.onnx")
        for label, domain in domains(name.split("-")[0], arguments.balls).items():
            rows += [{"network": name, "domain": label, **row} for row in measure(network, domain)]
        print(f"{name} done", flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(arguments.output, index=False, float_format="%.5g")
    table["share"] = table["binaries"] / table["dense_binaries"]
    means = table.groupby(["rate", "variant"], sort=False)[["share", "largest_difference", "worth"]].mean()
    print(means.round(3).to_string())


if __name__ == "__main__":
    main()
