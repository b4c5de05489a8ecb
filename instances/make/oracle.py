"""Proofs that share nothing with netopt: ``python -m instances.make.oracle RESULTS.parquet ... --out proofs.csv``.

What tables of `netopt campaign` call unsat is proved again where the network is a multilayer perceptron: MILPs, "how
much can this class score above the label's", with interval bounds and plain big-M rows written here and solved by
`scipy.optimize.milp`. A property is proved when every dual bound is below -1e-4. Nothing is concluded from anything
else, so the answer is "unsat" or nothing.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
import time
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray
from onnx import numpy_helper
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from instances import FOLDER

MARGIN = 1e-4
Vector = NDArray[np.float64]


def is_perceptron(path: Path) -> bool:
    """Return whether a file holds Gemm and Relu in turn, and nothing else."""
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    return kinds == ["Gemm", "Relu"] * (len(kinds) // 2) + ["Gemm"]


def read_layers(path: Path) -> list[tuple[Vector, Vector]]:
    """Return weights (out, in) and biases of a file that holds Gemm and Relu in turn."""
    graph = onnx.load(path).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor).astype(np.float64) for tensor in graph.initializer}
    return [(arrays[node.input[1]], arrays[node.input[2]]) for node in graph.node if node.op_type == "Gemm"]


def read_box(path: Path) -> tuple[Vector, Vector, int, list[int]]:
    """Return lower and upper bounds, the label and its rivals, of a property written by `robustness`."""
    text = gzip.decompress(path.read_bytes()).decode()
    lower, upper = (np.array(re.findall(rf"\({side} X_\d+ (\S+?)\)", text), dtype=np.float64) for side in (">=", "<="))
    pairs = [(int(rival), int(label)) for rival, label in re.findall(r"\(>= Y_(\d+) Y_(\d+)\)", text)]
    return lower, upper, pairs[0][1], [rival for rival, _ in pairs]


class BigM:
    """The rows of a network over a box, in the order inputs, then y and z of each hidden layer."""

    def __init__(self, layers: list[tuple[Vector, Vector]], lower: Vector, upper: Vector) -> None:
        self.lower, self.upper = [lower], [upper]
        self.integrality = [np.zeros(lower.size)]
        self.rows: list[LinearConstraint] = []
        self.width = lower.size + 2 * sum(bias.size for _, bias in layers[:-1])
        start, before = 0, (lower, upper)
        for weight, bias in layers[:-1]:
            before, start = self._add_layer(weight, bias, before, start)
        weight, bias = layers[-1]
        self.output, self.bias = self._place((weight, start)), bias

    def _place(self, *blocks: tuple[Vector, int]) -> sparse.csr_array:
        matrix = sparse.lil_array((blocks[0][0].shape[0], self.width))
        for block, start in blocks:
            matrix[:, start : start + block.shape[1]] = block
        return matrix.tocsr()

    def _add_layer(
        self, weight: Vector, bias: Vector, before: tuple[Vector, Vector], start: int
    ) -> tuple[tuple[Vector, Vector], int]:
        centre, radius = (before[0] + before[1]) / 2, (before[1] - before[0]) / 2
        middle, spread = weight @ centre + bias, np.abs(weight) @ radius + 1e-9
        low, high = middle - spread, middle + spread
        y = sum(part.size for part in self.lower)
        z = y + bias.size
        identity = np.eye(bias.size)
        # y >= a;  y <= a - l (1 - z);  y <= u z, with l and u moved to the right side of zero
        l_side, u_side = np.minimum(low, 0.0), np.maximum(high, 0.0)
        infinity = np.full(bias.size, np.inf)
        self.rows += [
            LinearConstraint(self._place((-weight, start), (identity, y)), bias, infinity),
            LinearConstraint(
                self._place((-weight, start), (identity, y), (-np.diag(l_side), z)), -infinity, bias - l_side
            ),
            LinearConstraint(self._place((identity, y), (-np.diag(u_side), z)), -infinity, np.zeros(bias.size)),
        ]
        self.lower += [np.zeros(bias.size), (low >= 0).astype(float)]
        self.upper += [u_side, (high > 0).astype(float)]
        self.integrality += [np.zeros(bias.size), np.ones(bias.size)]
        return (np.maximum(low, 0.0), u_side), y

    def bound(self, rival: int, label: int, time_limit: float) -> float:
        """Return a proven upper bound of ``y_rival - y_label``."""
        objective = (self.output[[rival]] - self.output[[label]]).toarray().ravel()
        result = milp(
            -objective,
            integrality=np.concatenate(self.integrality),
            bounds=Bounds(np.concatenate(self.lower), np.concatenate(self.upper)),
            constraints=self.rows,
            options={"time_limit": time_limit},
        )
        if result.mip_dual_bound is None:
            return float("inf")
        return float(-result.mip_dual_bound + self.bias[rival] - self.bias[label])


def proves_unsat(network: Path, prop: Path, time_limit: float) -> bool:
    """Return whether every rival was proved to stay below the label, within `time_limit` seconds in all."""
    begun = time.perf_counter()
    lower, upper, label, rivals = read_box(prop)
    model = BigM(read_layers(network), lower, upper)
    for rival in rivals:
        left = time_limit - (time.perf_counter() - begun)
        if left <= 0 or model.bound(rival, label, left) >= -MARGIN:
            return False
    return True


def main() -> None:
    """Try every property that the tables call unsat and write those proved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+", help="results of `netopt campaign`")
    parser.add_argument("--out", type=Path, required=True, help="CSV of the proved pairs")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds a property")
    arguments = parser.parse_args()
    table = pd.concat([pd.read_parquet(path) for path in arguments.tables])
    claimed = table[table["status"] == "unsat"][["onnx", "vnnlib"]].drop_duplicates()
    with arguments.out.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["onnx", "vnnlib"])
        for network, prop in claimed.itertuples(index=False):
            if is_perceptron(FOLDER / network) and proves_unsat(FOLDER / network, FOLDER / prop, arguments.time_limit):
                writer.writerow([network, prop])
                file.flush()


if __name__ == "__main__":
    main()
