"""Train, prune and fine-tune every network of the table; test each as it is and under attack.

``python -m benchmarks.harp.train --data FOLDER --networks FOLDER``: a row of results.csv a network. What has a row is
not made again.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.harp.cases import (
    DENSE,
    DENSE_TRAINED_ON,
    METHODS,
    SEED,
    SPARSE,
    SPARSE_TRAINED_ON,
    TESTED_ON,
    Case,
    all_cases,
    append,
    data_of,
    options,
    rows_of,
    test_attack,
    untrained,
)
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.network.onnx_writer import write_onnx
from netopt.pruning.harp.accuracy import read_rightly
from netopt.pruning.harp.options import HarpOptions
from netopt.pruning.harp.training import HarpTraining


def make(case: Case, data: Path, networks: Path) -> tuple[Network, dict[str, Any]]:
    """Return the trained network and what its training says."""
    images = data_of(data, case.dataset)
    count = DENSE_TRAINED_ON if case.method == "dense" else SPARSE_TRAINED_ON
    points, labels = images.x_train[:count], images.y_train[:count]
    if case.method == "dense":
        chosen = HarpOptions(
            keep=0.5, epochs=0, finetune_epochs=0, learn_rates=False, epsilon=case.epsilon, seed=SEED, **DENSE
        )
        training = HarpTraining(untrained(case.architecture), points, labels, chosen)
    else:
        dense = load_network(Case(case.dataset, case.architecture, "dense", 1.0).path(networks))
        differs = {**SPARSE, **METHODS[case.method]}
        chosen = HarpOptions(keep=case.keep, epsilon=case.epsilon, seed=SEED, **differs)
        training = HarpTraining(dense, points, labels, chosen)
    for epoch in training.epochs():
        print(f"  {case.name} {epoch.stage} {epoch.epoch}: loss {epoch.loss:.4f}, L_hw {epoch.hardware_loss:.4f}")
    result = training.result()
    if case.method == "dense":
        return result.dense, {"kept": 1.0, "met": True, "rates": {}}
    return result.network, {"kept": result.kept, "met": result.target_met, "rates": dict(result.rates)}


def row_of(case: Case, network: Network, data: Path, told: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return the row of a network: test accuracy, accuracy under attack, what training took."""
    images = data_of(data, case.dataset)
    points, labels = images.x_test[:TESTED_ON], images.y_test[:TESTED_ON]
    return {
        "dataset": case.dataset,
        "network": case.architecture,
        "method": case.method,
        "keep": case.keep,
        "kept": told["kept"],
        "met": told["met"],
        "clean": float(np.mean(read_rightly(network, points, labels))),
        "attacked": float(np.mean(read_rightly(network, points, labels, test_attack(case.epsilon)))),
        "training_cpu_seconds": round(seconds, 1),
        "rates": json.dumps(told["rates"]),
    }


def main() -> None:
    """Make what is missing."""
    arguments = options().parse_args()
    torch.set_num_threads(1)
    arguments.networks.mkdir(parents=True, exist_ok=True)
    path = arguments.results / "results.csv"
    done = {(row["dataset"], row["network"], row["method"], float(row["keep"])) for row in rows_of(path)}
    for case in all_cases():
        if (case.dataset, case.architecture, case.method, case.keep) in done:
            continue
        start = time.process_time()
        network, told = make(case, arguments.data, arguments.networks)
        seconds = time.process_time() - start
        write_onnx(network, case.path(arguments.networks))
        row = row_of(case, network, arguments.data, told, seconds)
        append(path, row)
        print(f"{case.name}: clean {row['clean']:.3f}, attacked {row['attacked']:.3f}", flush=True)


if __name__ == "__main__":
    main()
