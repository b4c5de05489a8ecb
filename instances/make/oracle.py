"""Proofs that share nothing with netopt: ``python -m instances.make.oracle RESULTS.parquet ... --out proofs.csv``.

What tables of `netopt campaign` call unsat is proved again where the network is a multilayer perceptron: a MILP a rival
class, "can it score as high as the label's, less 1e-4", with LP bounds and plain big-M rows written here and solved by
`scipy.optimize.milp`. A property is proved when each is infeasible. Nothing is concluded from anything else.
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
#: Status of `scipy.optimize.milp`.
INFEASIBLE = 2
#: Added to every bound of a pre-activation, for the tolerance of the LPs they come from.
SLACK = 1e-5
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
        centre, radius = (lower + upper) / 2, (upper - lower) / 2
        start = 0
        for weight, bias in layers[:-1]:
            if start == 0:
                middle, spread = weight @ centre, np.abs(weight) @ radius
                low, high = middle - spread, middle + spread
            else:
                high = np.array([self._most(row, start) for row in weight])
                low = -np.array([self._most(-row, start) for row in weight])
            start = self._add_layer(weight, bias, start, low + bias - SLACK, high + bias + SLACK)
        weight, bias = layers[-1]
        self.output, self.bias = self._place((weight, start)), bias

    def _place(self, *blocks: tuple[Vector, int]) -> sparse.csr_array:
        matrix = sparse.lil_array((blocks[0][0].shape[0], self.width))
        for block, start in blocks:
            matrix[:, start : start + block.shape[1]] = block
        return matrix.tocsr()

    def _most(self, row: Vector, start: int) -> float:
        """Return the LP bound of a row over the layer that starts at column `start`; later columns are zero."""
        objective = np.zeros(self.width)
        objective[start : start + row.size] = -row
        missing = np.zeros(self.width - sum(part.size for part in self.lower))
        bounds = Bounds(np.concatenate([*self.lower, missing]), np.concatenate([*self.upper, missing]))
        result = milp(objective, bounds=bounds, constraints=self.rows)
        return -float(result.fun) if result.success else float("inf")

    def _add_layer(self, weight: Vector, bias: Vector, start: int, low: Vector, high: Vector) -> int:
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
        return y

    def excludes(self, rival: int, label: int, time_limit: float) -> bool:
        """Return whether no point with ``y_rival - y_label >= -MARGIN`` satisfies the rows, proved in time."""
        row = self.output[[rival]] - self.output[[label]]
        at_least = LinearConstraint(row, self.bias[label] - self.bias[rival] - MARGIN, np.inf)
        result = milp(
            np.zeros(self.width),
            integrality=np.concatenate(self.integrality),
            bounds=Bounds(np.concatenate(self.lower), np.concatenate(self.upper)),
            constraints=[*self.rows, at_least],
            options={"time_limit": time_limit},
        )
        return bool(result.status == INFEASIBLE)


def proves_unsat(network: Path, prop: Path, time_limit: float) -> bool:
    """Return whether every rival was proved to stay below the label, within `time_limit` seconds in all."""
    begun = time.perf_counter()
    lower, upper, label, rivals = read_box(prop)
    model = BigM(read_layers(network), lower, upper)
    for rival in rivals:
        left = time_limit - (time.perf_counter() - begun)
        if left <= 0 or not model.excludes(rival, label, left):
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
