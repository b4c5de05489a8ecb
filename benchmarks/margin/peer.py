"""A peer with netopt's interface: ``peer.py TOOL maximize NET.onnx --property P.vnnlib.gz --weights ... --json``.

Runs under the peers' interpreter, which knows nothing of netopt. The time it reports covers building and solving;
reading, imports and a network of one neuron, solved first so that no lazy import is counted, are left out.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # peer_networks.py, beside this folder

from margin.peers import TOOLS

_BOUND = re.compile(r"\(assert \((<=|>=) X_(\d+) ([^\s()]+)\)\)")


def main() -> None:
    """Solve one problem and print the answer as netopt's JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", choices=sorted(TOOLS))
    parser.add_argument("command", choices=["maximize"])
    parser.add_argument("network", type=Path)
    parser.add_argument("--property", type=Path, required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--time-limit", type=float, required=True)
    parser.add_argument("--json", action="store_true", required=True)
    parser.add_argument("--quiet", action="store_true")
    asked = parser.parse_args()
    solve = TOOLS[asked.tool]
    one = np.ones((1, 1))
    solve([one, one], [np.zeros(1), np.zeros(1)], np.full(1, -1.0), np.ones(1), np.ones(1), 60.0)
    layers = _layers(asked.network)
    box = _box(asked.property)
    weights = np.array(asked.weights.split(","), dtype=np.float64)
    begun = time.perf_counter()
    answer = solve(*layers, *box, weights, asked.time_limit)
    seconds = time.perf_counter() - begun
    print(json.dumps(_as_json(asked, answer, seconds)))
    sys.exit(0 if answer["solved"] else 3)


def _layers(path: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return weights (out, in) and biases of a file of Gemm and Relu nodes alone."""
    graph = onnx.load(path).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor).astype(np.float64) for tensor in graph.initializer}
    affine = [node for node in graph.node if node.op_type != "Relu"]
    assert all(node.op_type == "Gemm" for node in affine)
    return [tensors[node.input[1]] for node in affine], [tensors[node.input[2]] for node in affine]


def _box(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of the inputs."""
    found = _BOUND.findall(gzip.decompress(path.read_bytes()).decode())
    size = 1 + max(int(index) for _, index, _ in found)
    bounds = {"<=": np.full(size, np.nan), ">=": np.full(size, np.nan)}
    for sense, index, value in found:
        bounds[sense][int(index)] = float(value)
    assert all(np.isfinite(side).all() for side in bounds.values())
    return bounds[">="], bounds["<="]


def _as_json(asked: argparse.Namespace, answer: dict[str, object], seconds: float) -> dict[str, object]:
    return {
        "schema": 1,
        "command": "maximize",
        "status": "optimal" if answer["solved"] else "timeout",
        "network_sha256": hashlib.sha256(asked.network.read_bytes()).hexdigest(),
        "primal_bound": answer["primal"],
        "dual_bound": answer["dual"],
        "gap": None,
        "witness": None,
        "stages": [],
        "proved_by": [asked.tool],
        "notices": [],
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()
