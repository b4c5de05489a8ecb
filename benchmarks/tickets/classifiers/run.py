"""Tickets of image classifiers: accuracy, errors, sizes and time against the width of the random network.

Usage: python benchmarks/tickets/classifiers/run.py DATA.npz NET.onnx --widths 32 64 [--dimension 10]
           [--scale 8] [--effort quick] [-o results.csv]

Rows are appended; those that the file has already are not measured again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netopt.arrays import FloatArray
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.ticket.finder import named_effort
from netopt.ticket.quality import measure_quality
from netopt.ticket.sizes import measure_sizes
from netopt.ticket.ticket import find_ticket

HERE = Path(__file__).resolve().parent
#: Core-seconds a weight when every weight is one integer program: 0.195 s on 36 cores.
PROGRAM_A_WEIGHT = 0.195 * 36


def accuracy(network: Network, images: FloatArray, labels: FloatArray) -> float:
    """Return the part of images whose label has the largest output, in per cent."""
    return 100.0 * float((network.forward(images).argmax(axis=1) == labels).mean())


def measure(
    target: Network, width: int, scale: str, dimension: int | None, effort: str, data: dict[str, Any]
) -> dict[str, Any]:
    """Return one row."""
    box = Box(np.zeros(target.input_size), np.ones(target.input_size))
    begun = time.process_time()
    found = find_ticket(
        target,
        width,
        scale=None if scale == "auto" else float(scale),
        dimension=dimension,
        domain=box,
        effort=named_effort(effort),
    )
    seconds = time.process_time() - begun
    folded = found.found.folded
    assert folded is not None, "inputs of images are never negative"
    sizes = measure_sizes(found.found, box)
    qualities = measure_quality(found.found)
    difference = folded.forward(data["images"]) - target.forward(data["images"])
    learned = sum(one.learned.shape.parameters for one in found.found.maps)
    return {
        "entries": max(one.entries for one in qualities),
        "target_accuracy": accuracy(target, data["images"], data["labels"]),
        "ticket_accuracy": accuracy(folded, data["images"], data["labels"]),
        "relative_error": max(one.relative_error for one in qualities),
        "output_rms": float(np.sqrt((difference**2).mean())),
        "cpu_seconds": seconds,
        "program_a_weight_core_seconds": PROGRAM_A_WEIGHT * learned,
        "random_weights": sizes.random.weights,
        "ticket_weights": sizes.ticket.weights,
        "reduced_weights": sizes.reduced.weights,
        "target_weights": sizes.target.weights,
        "random_neurons": sizes.random.neurons,
        "ticket_neurons": sizes.ticket.neurons,
        "ticket_binaries": sizes.ticket.unstable,
        "reduced_binaries": sizes.reduced.unstable,
        "target_binaries": sizes.target.unstable,
    }


def main() -> None:
    """Measure every width that the results lack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("network", type=Path)
    parser.add_argument("--widths", type=int, nargs="+", required=True)
    parser.add_argument("--dimension", type=int, default=0, help="largest dimension of a problem; 0 for any")
    parser.add_argument("--scale", default="auto", help="a number, or auto for one a map")
    parser.add_argument("--effort", default="quick")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results.csv")
    arguments = parser.parse_args()
    with np.load(arguments.data) as arrays:
        images = arrays["x_test"].reshape(len(arrays["x_test"]), -1) / 255.0
        data = {"images": images, "labels": arrays["y_test"]}
    target = load_network(arguments.network)
    for width in arguments.widths:
        setting = {
            "network": arguments.network.stem,
            "dimension": arguments.dimension,
            "effort": arguments.effort,
            "scale": arguments.scale,
            "width": width,
        }
        done = pd.read_csv(arguments.output) if arguments.output.exists() else pd.DataFrame(columns=list(setting))
        if (done[list(setting)] == pd.Series(setting)).all(axis=1).any():
            continue
        row = setting | measure(target, width, arguments.scale, arguments.dimension or None, arguments.effort, data)
        pd.DataFrame([row]).to_csv(arguments.output, mode="a", header=done.empty, index=False)
        print(f"{row['network']} width {width}: {row['ticket_accuracy']:.2f} % of {row['target_accuracy']:.2f} %")


if __name__ == "__main__":
    main()
