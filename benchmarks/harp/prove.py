"""Prove or refute, image by image, that no input within the radius changes a network's class.

``python -m benchmarks.harp.prove --data FOLDER --networks FOLDER``: a row of proofs.csv a network and image, with the
networks that ``train`` left. The first test images are asked about; one that is misread as it is counts as refuted, and
so does one that the attack of 50 steps breaks. Dense networks and HARP's are also asked at one and a half times the
radius they were trained for, where proofs are hard; there also with un-finetuned surrogates (``prune="ladder"``), which
search sparser networks for counterexamples before anything is proved.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from benchmarks.harp.cases import Case, all_cases, append, data_of, options, proved_images, rows_of, test_attack
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.problems.verification import verify
from netopt.pruning.harp.accuracy import read_rightly
from netopt.specification.box import Box
from netopt.specification.property import Case as Asked
from netopt.specification.property import Conjunction, Property

#: The larger radius, in units of the one trained for.
HARD = 1.5


def misread(image: np.ndarray, label: int, epsilon: float, classes: int) -> Property:
    """Return the property that some input within the radius has another class's output at least as large."""
    box = Box(np.maximum(image - epsilon, 0.0), np.minimum(image + epsilon, 1.0))
    rows = np.eye(classes)[label] - np.eye(classes)
    others = [k for k in range(classes) if k != label]
    disjuncts = tuple(Conjunction(rows[k : k + 1], np.zeros(1)) for k in others)
    return Property((Asked(box, disjuncts),), image.size, classes)


def cpu_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def ask(network: Network, image: np.ndarray, label: int, epsilon: float, prune: str, limit: float) -> tuple[str, float]:
    """Return the verdict and the processor seconds it took."""
    start = cpu_seconds()
    prop = misread(image.astype(np.float64), label, epsilon, network.output_size)
    solver = {"prune": prune, "solver": "auto"} if prune else {"solver": "native"}
    answer = verify(network, prop, time_limit=limit, **solver)
    return answer.status.value, cpu_seconds() - start


def prove(case: Case, factor: float, prune: str, arguments: argparse.Namespace) -> None:
    """Ask about every image that has no row yet."""
    path = arguments.results / "proofs.csv"
    done = {
        int(row["image"])
        for row in rows_of(path)
        if (row["dataset"], row["network"], row["method"], float(row["keep"]), float(row["factor"]), row["prune"])
        == (case.dataset, case.architecture, case.method, case.keep, factor, prune)
    }
    network = load_network(case.path(arguments.networks))
    data = data_of(arguments.data, case.dataset)
    numbers = proved_images(data)
    points, labels = data.x_test[numbers], data.y_test[numbers]
    plain = read_rightly(network, points, labels)
    radius = factor * case.epsilon
    attacked = read_rightly(network, points, labels, test_attack(radius))
    for number in numbers.tolist():
        if number in done:
            continue
        if not plain[number]:
            verdict, seconds = "misread", 0.0
        elif not attacked[number] and not prune:
            verdict, seconds = "attacked", 0.0
        else:
            verdict, seconds = ask(network, points[number], int(labels[number]), radius, prune, arguments.time_limit)
        row = {"dataset": case.dataset, "network": case.architecture, "method": case.method, "keep": case.keep}
        append(
            path,
            row
            | {"factor": factor, "prune": prune, "image": number, "verdict": verdict, "cpu_seconds": round(seconds, 3)},
        )
    print(f"{case.name} {factor} {prune}: done", flush=True)


def main() -> None:
    """Ask what has not been asked."""
    parser = options()
    parser.add_argument("--time-limit", type=float, default=10.0, help="seconds an image")
    arguments = parser.parse_args()
    cases = [case for case in all_cases() if case.path(arguments.networks).exists()]
    for case in cases:
        prove(case, 1.0, "", arguments)
    for case in cases:
        if case.method in ("dense", "harp"):
            prove(case, HARD, "", arguments)
            prove(case, HARD, "ladder", arguments)


if __name__ == "__main__":
    main()
