"""Write ``instances.csv``: (logit of the runner-up - logit of the image's class), maximised over L-infinity balls."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from netopt.network.load import load_network
from netopt.specification.vnnlib import read_vnnlib

HERE = Path(__file__).resolve().parent
NETWORKS = ("mnist-2x50", "mnist-2x100")
IMAGES = range(5)
RADII = (0.02, 0.03)
SECONDS = 60


def main() -> None:
    """Write the list, the small radius first."""
    with (HERE / "instances.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["command", "onnx", "vnnlib", "weights", "timeout"])
        for radius in RADII:
            for name in NETWORKS:
                for image in IMAGES:
                    onnx = f"../../instances/networks/{name}.onnx"
                    vnnlib = f"../../instances/properties/mnist-img{image}-eps{radius}.vnnlib.gz"
                    table.writerow(["maximize", onnx, vnnlib, _margin(HERE / onnx, HERE / vnnlib), SECONDS])


def _margin(onnx: Path, vnnlib: Path) -> str:
    """Return the weights of the margin between the two highest classes at the middle of the box."""
    network = load_network(onnx)
    logits = network.forward(read_vnnlib(vnnlib).cases[0].domain.center)
    first, second = np.argsort(logits)[::-1][:2]
    weights = np.zeros(logits.size, dtype=int)
    weights[[second, first]] = 1, -1
    return ",".join(map(str, weights))


if __name__ == "__main__":
    main()
