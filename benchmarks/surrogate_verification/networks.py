"""The image classifiers of the experiment: which there are, their data and their weights.

MNIST and Fashion-MNIST, 28 x 28 pixels or 18 x 18 (averaged down), hidden layers 2x32, 2x64, 4x32, 4x64, ten seeds.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np

from instances.make.image_data import ImageData, read_image_data
from netopt.network.build import from_weights
from netopt.network.network import Network

DATASETS = ("mnist", "fashion")
SIDES = (28, 18)
ARCHITECTURES = ("2x32", "2x64", "4x32", "4x64")
SEEDS = tuple(range(10))
_FILES = {"mnist": "mnist.npz", "fashion": "fashion_mnist.npz"}
#: Environment variables that stand in for --data and --networks.
DATA_VARIABLE, NETWORKS_VARIABLE = "NETOPT_IMAGE_DATA", "NETOPT_BENCHMARK_NETWORKS"


@dataclass(frozen=True, slots=True)
class Classifier:
    """Which network: its name is that of its file."""

    dataset: str
    side: int
    architecture: str
    seed: int

    @property
    def name(self) -> str:
        """For example ``mnist-28-2x32-seed0``."""
        return f"{self.dataset}-{self.side}-{self.architecture}-seed{self.seed}"

    @classmethod
    def named(cls, name: str) -> Classifier:
        """Return the network with that name."""
        dataset, side, architecture, seed = name.split("-")
        return cls(dataset, int(side), architecture, int(seed.removeprefix("seed")))


@lru_cache(maxsize=2)
def images(folder: Path, dataset: str, side: int) -> ImageData:
    """Return a data set at 28 x 28 pixels or averaged down to ``side`` x ``side``, in [0, 1]."""
    data = read_image_data(folder / _FILES[dataset])
    if side == 28:
        return data
    return ImageData(resized(data.x_train, side), data.y_train, resized(data.x_test, side), data.y_test)


def resized(flat: np.ndarray, side: int) -> np.ndarray:
    """Return images (count, 784) as (count, side^2): bilinear, antialiased: pixels are means of what they cover."""
    scale = 28.0 / side
    middle = (np.arange(side) + 0.5) * scale
    weight = np.maximum(0.0, 1.0 - np.abs(np.arange(28) + 0.5 - middle[:, None]) / scale)
    weight = (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.clip(weight @ flat.reshape(-1, 28, 28) @ weight.T, 0.0, 1.0).reshape(len(flat), side**2)


def image(folder: Path, classifier: Classifier, number: int) -> np.ndarray:
    """Return one test image in float64, (side^2,)."""
    data = images(folder, classifier.dataset, 28)
    flat = data.x_test[number][None]
    return np.asarray((flat if classifier.side == 28 else resized(flat, classifier.side))[0].astype(np.float64))


def load(folder: Path, classifier: Classifier) -> Network:
    """Return the trained network for netopt."""
    with np.load(folder / f"{classifier.name}.npz", allow_pickle=False) as content:
        count = sum(name.startswith("w") for name in content.files)
        return from_weights([content[f"w{k}"] for k in range(count)], [content[f"b{k}"] for k in range(count)])


def add_folder_options(parser: argparse.ArgumentParser) -> None:
    """Add --data and --networks, required unless their environment variables are set."""
    for option, variable, what in (
        ("--data", DATA_VARIABLE, "folder with mnist.npz and fashion_mnist.npz"),
        ("--networks", NETWORKS_VARIABLE, "folder of the trained weights, outside of the project"),
    ):
        known = os.environ.get(variable)
        parser.add_argument(
            option,
            type=Path,
            default=None if known is None else Path(known),
            required=known is None,
            help=f"{what} (or the environment variable {variable})",
        )


def add_classifier_options(parser: argparse.ArgumentParser, seeds: tuple[int, ...] = SEEDS) -> None:
    """Add the options that restrict the networks."""
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--sides", nargs="+", type=int, choices=SIDES, default=SIDES)
    parser.add_argument("--architectures", nargs="+", choices=ARCHITECTURES, default=ARCHITECTURES)
    parser.add_argument("--seeds", nargs="+", type=int, default=seeds)


def chosen(options: argparse.Namespace) -> list[Classifier]:
    """Return the networks the options ask for."""
    parts = product(options.datasets, options.sides, options.architectures, options.seeds)
    return [Classifier(*part) for part in parts]
