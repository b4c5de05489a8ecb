"""Random maximization networks, made on demand: ``python -m instances.make.random_networks --out FOLDER``.

Untrained networks with torch's default initialisation on [0, 1]^n, one output to maximise, as in Pham et al.,
"Optimization over Trained (and Sparse) Neural Networks", arXiv 2505.01985. Nothing of them is stored here.
"""

from __future__ import annotations

import argparse
import csv
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from instances.make.onnx_file import write_mlp

INPUTS = (100, 1000, 10000)
DEPTHS = (2, 3, 4, 5)
WIDTHS = (50, 100, 200)
SEEDS = (0, 1, 2, 3, 4)


def random_weights(
    inputs: int, depth: int, width: int, seed: int
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Return weights (out, in) and biases (out,) of a network with one output, uniform in +-1/sqrt(fan-in).

    Examples
    --------
    >>> from instances.make.random_networks import random_weights
    >>> weights, biases = random_weights(inputs=100, depth=2, width=50, seed=0)
    >>> [weight.shape for weight in weights]
    [(50, 100), (50, 50), (1, 50)]
    """
    generator = np.random.default_rng((inputs, depth, width, seed))
    sizes = [inputs, *[width] * depth, 1]
    weights, biases = [], []
    for fan_in, fan_out in pairwise(sizes):
        limit = 1.0 / np.sqrt(fan_in)
        weights.append(generator.uniform(-limit, limit, (fan_out, fan_in)).astype(np.float32))
        biases.append(generator.uniform(-limit, limit, fan_out).astype(np.float32))
    return weights, biases


def main() -> None:
    """Write the networks asked for and a list that `netopt campaign` reads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the .onnx files and maximize.csv")
    parser.add_argument("--inputs", type=int, nargs="+", default=INPUTS)
    parser.add_argument("--depths", type=int, nargs="+", default=DEPTHS)
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--timeout", type=float, default=600.0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "maximize.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["command", "onnx", "lower", "upper", "output", "timeout"])
        for size in product(arguments.inputs, arguments.depths, arguments.widths, arguments.seeds):
            name = "random-{}-{}x{}-seed{}.onnx".format(*size)
            write_mlp(arguments.out / name, *random_weights(*size))
            writer.writerow(["maximize", name, 0, 1, 0, arguments.timeout])
    print(f"{arguments.out / 'maximize.csv'} written")


if __name__ == "__main__":
    main()
