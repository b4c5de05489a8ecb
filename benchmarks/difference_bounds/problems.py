"""The problems of both experiments: margins of images over L-infinity and L1 balls."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netopt.bounds.crown import crown_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball

#: L-infinity radii and L1 budgets; a robust network needs larger ones to leave anything open.
DOMAINS = {"robust": ("linf:0.05", "linf:0.1", "l1:8")}
OTHERS = ("linf:0.02", "linf:0.04", "l1:4")


@dataclass(frozen=True)
class Margin:
    """Maximise ``weights @ y``: the runner-up's logit minus that of the image's class."""

    label: dict[str, object]
    network: Network
    domain: Domain
    bounds: PreactivationBounds
    weights: np.ndarray


def margins(paths: list[Path], data: dict[str, Path], images: int) -> Iterator[Margin]:
    """Yield the problems; `data` maps the prefix of a network's name to its images, "" to the default."""
    for position, path in itertools.product(range(images), paths):
        network = load_network(path)
        arrays = np.load(data.get(path.name.split("-")[0], data[""]))
        x = arrays["x_test"].reshape(-1, 784)[:200].astype(np.float64) / 255.0
        scores = network.forward(x)
        image = int(np.flatnonzero(scores.argmax(axis=1) == arrays["y_test"][:200])[position])
        runner_up, label = np.argsort(scores[image])[-2:]
        weights = np.zeros(10)
        weights[[runner_up, label]] = 1.0, -1.0
        for name in DOMAINS.get(path.name.split("-")[0], OTHERS):
            domain = _domain(name, x[image])
            label_of = {"network": path.stem, "image": image, "domain": name}
            yield Margin(label_of, network, domain, crown_bounds(network, domain), weights)


def _domain(name: str, x: np.ndarray) -> Domain:
    kind, size = name.split(":")
    if kind == "linf":
        return Box.ball(x, float(size), lower=0.0, upper=1.0)
    return L1Ball(x, float(size), np.zeros(x.size), np.ones(x.size))
