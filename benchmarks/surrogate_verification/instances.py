"""Make ``instances.csv``: an image of the test set that the dense network classifies rightly, its runner-up, a budget.

Four sets around each image, all within [0, 1]^n:

- ``l1``: the paper's, ||x - image||_1 <= U(4.5, 5.5);
- ``linf``: an L-infinity ball a tenth larger than the smallest in which a short gradient ascent succeeds;
- ``l1-near``, ``linf-near``: balls only 2 % larger than that, where few points are adversarial.

Slightly smaller balls hold no adversarial point in all that were tried: on these networks the ascent is that good.

Both labels are those of the dense network. Ascents are counted in rounds, not in seconds, so that a machine of the same
kind makes the same list.
"""

from __future__ import annotations

import argparse
import csv
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.surrogate_common.trace import FOUND
from benchmarks.surrogate_verification.networks import (
    Classifier,
    add_classifier_options,
    add_folder_options,
    chosen,
    image,
    images,
    load,
)
from netopt.attack.gradient_ascent import ascend_linear
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball

HERE = Path(__file__).resolve().parent
FIELDS = ("network", "image", "label", "target", "kind", "radius")
KINDS = ("l1", "linf", "l1-near", "linf-near")
#: Factors of the smallest radius at which the ascent succeeds.
_LOOSE, _NEAR = 1.1, 1.02
_HALVINGS = 10
_ROUNDS = 1


def domain_of(kind: str, center: np.ndarray, radius: float) -> Domain:
    """Return the set around an image."""
    low, high = np.zeros(center.size), np.ones(center.size)
    return L1Ball(center, radius, low, high) if kind.startswith("l1") else Box.ball(center, radius, low, high)


def margin(label: int, target: int, classes: int = 10) -> np.ndarray:
    """Return the weights of (logit of the target - logit of the label)."""
    weights = np.zeros(classes)
    weights[target], weights[label] = 1.0, -1.0
    return weights


def rows_of(classifier: Classifier, folder: Path, network: Network) -> list[list[object]]:
    """Return the lines of one network.

    Parameters
    ----------
    folder : of the images.
    """
    data = images(folder, classifier.dataset, classifier.side)
    generator = np.random.default_rng(zlib.crc32(classifier.name.encode()))
    right = np.flatnonzero(network.forward(data.x_test).argmax(axis=1) == data.y_test)
    number = int(generator.choice(right))
    budget = float(generator.uniform(4.5, 5.5))
    center = image(folder, classifier, number)
    label, target = (int(k) for k in np.argsort(-network.forward(center), kind="stable")[:2])
    weights = margin(label, target)

    def succeeds(kind: str) -> Callable[[float], bool]:
        def attempt(radius: float) -> bool:
            search = np.random.default_rng(0)
            domain = domain_of(kind, center, radius)
            return ascend_linear(network, domain, weights, generator=search, target=FOUND, rounds=_ROUNDS)[1] > FOUND

        return attempt

    least = {"l1": _threshold(succeeds("l1"), 64.0), "linf": _threshold(succeeds("linf"), 1.0)}
    radii = {
        "l1": budget,
        "linf": _LOOSE * least["linf"],
        "l1-near": _NEAR * least["l1"],
        "linf-near": _NEAR * least["linf"],
    }
    return [[classifier.name, number, label, target, kind, f"{radii[kind]:.6g}"] for kind in KINDS]


def _threshold(succeeds: Callable[[float], bool], largest: float) -> float:
    """Return about the smallest radius at which the ascent succeeds, by bisection on a logarithmic scale."""
    small, large = 1e-3 * largest, largest
    for _ in range(_HALVINGS):
        middle = float(np.sqrt(small * large))
        small, large = (small, middle) if succeeds(middle) else (middle, large)
    return large


def main() -> None:
    """Write the list for the networks asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folder_options(parser)
    add_classifier_options(parser)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "instances.csv")
    options = parser.parse_args()
    with options.output.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(FIELDS)
        for classifier in chosen(options):
            table.writerows(rows_of(classifier, options.data, load(options.networks, classifier)))
            file.flush()


if __name__ == "__main__":
    main()
