"""What is trained, how it is pruned, and where runs are kept."""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from instances.make.image_data import ImageData, read_image_data
from netopt.network.network import Network
from netopt.pruning.harp.losses import Attack

HERE = Path(__file__).resolve().parent
#: Data set -> its file and the radius of attacks, in training and in testing.
DATASETS = {"mnist": ("mnist.npz", 0.1), "fashion": ("fashion_mnist.npz", 0.05)}
ARCHITECTURES = ("cnn", "mlp")
KEEPS = (0.1, 0.01, 0.001)
#: Numbers of images: the first of the data set's training and test images.
DENSE_TRAINED_ON, SPARSE_TRAINED_ON, TESTED_ON, PROVED_ON = 10_000, 6000, 1000, 24
SEED = 0

#: The dense network is trained with these options, and every pruned one with those: one set for all of the table.
DENSE: Mapping[str, Any] = {"pretrain_epochs": 12, "pretrain_learning_rate": 0.1, "attack_steps": 5, "batch": 128}
SPARSE: Mapping[str, Any] = {
    "epochs": 8,
    "finetune_epochs": 6,
    "attack_steps": 5,
    "batch": 64,
    "learning_rate": 0.1,
    "rate_learning_rate": 0.015,
    "finetune_learning_rate": 0.1,
    "gamma": 0.1,
}
#: Method -> what differs.
METHODS: Mapping[str, Mapping[str, Any]] = {
    "harp": {},
    "uniform": {"learn_rates": False},
    "scores-only": {"learn_rates": False, "start": "erk"},
    "rates-only": {"learn_scores": False},
    "magnitude": {"learn_rates": False, "learn_scores": False, "epochs": 0, "finetune_epochs": 0},
}


@dataclass(frozen=True, slots=True)
class Case:
    """One network of the table; method "dense" and keep 1 is what all others were pruned from."""

    dataset: str
    architecture: str
    method: str
    keep: float

    @property
    def name(self) -> str:
        """For example ``mnist-cnn-harp-0.01``."""
        return f"{self.dataset}-{self.architecture}-{self.method}-{self.keep:g}"

    @property
    def epsilon(self) -> float:
        """Radius of the attacks."""
        return DATASETS[self.dataset][1]

    def path(self, folder: Path) -> Path:
        """Return the network's file."""
        return folder / f"{self.name}.onnx"


def all_cases() -> list[Case]:
    """Return the table's networks, in the order they are made: what matters most comes first."""
    settings = [(dataset, architecture) for dataset in DATASETS for architecture in ARCHITECTURES]
    cases = [Case(dataset, architecture, "dense", 1.0) for dataset, architecture in settings]
    for keep in (0.01, 0.001, 0.1):
        cases += [Case(dataset, architecture, method, keep) for dataset, architecture in settings for method in METHODS]
    return cases


@lru_cache(maxsize=2)
def data_of(folder: Path, dataset: str) -> ImageData:
    """Return a data set."""
    return read_image_data(folder / DATASETS[dataset][0])


def untrained(architecture: str) -> Network:
    """Return a network to train: a small CNN (1568 + 784 + 100 ReLUs) or a 784-200-100-10 perceptron."""
    import torch
    from torch import nn

    from netopt.network.load import load_network

    torch.manual_seed(SEED)
    if architecture == "mlp":
        return load_network(
            nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 100), nn.ReLU(), nn.Linear(100, 10))
        )
    module = nn.Sequential(
        nn.Conv2d(1, 8, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(784, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )
    return load_network(module, input_shape=(1, 28, 28))


def test_attack(epsilon: float) -> Attack:
    """Return the attack of 50 steps that networks are tested with."""
    return Attack(epsilon, epsilon / 10.0, 50)


def proved_images(data: ImageData) -> np.ndarray:
    """Return the numbers of the test images that robustness is proved on."""
    return np.arange(min(PROVED_ON, len(data.y_test)))


def append(path: Path, row: Mapping[str, Any]) -> None:
    """Append a row; a run that is stopped goes on with the next."""
    begins = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if begins:
            writer.writeheader()
        writer.writerow(row)
        file.flush()
        os.fsync(file.fileno())


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows written so far."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def options() -> argparse.ArgumentParser:
    """Return the options that all scripts take."""
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with mnist.npz and fashion_mnist.npz")
    parser.add_argument("--networks", type=Path, required=True, help="folder for the trained networks")
    parser.add_argument("--results", type=Path, default=HERE, help="folder of the CSV files")
    return parser
