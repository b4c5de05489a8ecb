"""Train the image classifiers of the experiment and keep their weights in a folder outside of the project.

``python -m benchmarks.surrogate_verification.networks --data FOLDER --networks FOLDER`` trains what the folder lacks:
MNIST and Fashion-MNIST, 28 x 28 pixels or 18 x 18 (averaged down), hidden layers 2x32, 2x64, 4x32, 4x64, ten seeds.
One thread, a few seconds a network; a machine of the same kind makes the same weights from the same seed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn

from instances.make.architectures import mlp
from instances.make.image_data import ImageData, read_image_data
from instances.make.train import fit
from netopt.network.build import from_weights
from netopt.network.network import Network

DATASETS = ("mnist", "fashion")
SIDES = (28, 18)
ARCHITECTURES = ("2x32", "2x64", "4x32", "4x64")
SEEDS = tuple(range(10))
EPOCHS = 5
_FILES = {"mnist": "mnist.npz", "fashion": "fashion_mnist.npz"}
#: Environment variables that stand in for --data and --networks.
DATA_VARIABLE, NETWORKS_VARIABLE = "NETOPT_IMAGE_DATA", "NETOPT_BENCHMARK_NETWORKS"

Kept = Mapping[int, np.ndarray]


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

    def module(self) -> nn.Sequential:
        """Return the untrained torch module."""
        depth, width = self.architecture.split("x")
        return mlp(int(depth), int(width), self.side**2)


@lru_cache(maxsize=2)
def images(folder: Path, dataset: str, side: int) -> ImageData:
    """Return a data set at 28 x 28 pixels or averaged down to ``side`` x ``side``, in [0, 1]."""
    data = read_image_data(folder / _FILES[dataset])
    if side == 28:
        return data
    return ImageData(_resized(data.x_train, side), data.y_train, _resized(data.x_test, side), data.y_test)


def _resized(flat: np.ndarray, side: int) -> np.ndarray:
    """Return images (count, 784) as (count, side^2): each pixel the mean of what it covers (antialiased bilinear)."""
    before = torch.from_numpy(flat).reshape(-1, 1, 28, 28)
    after = nn.functional.interpolate(before, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return np.asarray(after.clamp(0.0, 1.0).reshape(len(flat), side**2).numpy())


def train(classifier: Classifier, data: ImageData) -> nn.Sequential:
    """Return the trained module, in evaluation mode."""
    torch.manual_seed(classifier.seed)
    module = classifier.module()
    fit(module, torch.from_numpy(data.x_train), torch.from_numpy(data.y_train), epochs=EPOCHS)
    return module


def finetune(
    module: nn.Sequential, kept: Kept, data: ImageData, *, seed: int, epochs: int = EPOCHS
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Train pruned layers on, the pruned weights held at zero; return each layer's (weight, bias).

    Parameters
    ----------
    module : trained; changed in place.
    kept : number of the Linear layer -> (out, in) booleans.
    """
    torch.manual_seed(seed)
    layers = [layer for layer in module if isinstance(layer, nn.Linear)]
    masks = {layers[k].weight: torch.from_numpy(np.asarray(mask, dtype=np.float32)) for k, mask in kept.items()}
    with torch.no_grad():
        for weight, mask in masks.items():
            weight.mul_(mask)
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    fit(module, x, y, epochs=epochs, learning_rate=2e-3, kept=masks)
    return _layers(module)


def accuracy(module: nn.Module, data: ImageData) -> float:
    """Return the share of test images classified rightly."""
    with torch.no_grad():
        found = module(torch.from_numpy(data.x_test)).argmax(dim=1).numpy()
    return float(np.mean(found == data.y_test))


def _layers(module: nn.Sequential) -> list[tuple[np.ndarray, np.ndarray]]:
    linear = [layer for layer in module if isinstance(layer, nn.Linear)]
    return [(layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()) for layer in linear]


def save(path: Path, module: nn.Sequential, test_accuracy: float) -> None:
    """Write the weights; a file is whole or absent."""
    arrays = {
        f"{part}{k}": array for k, layer in enumerate(_layers(module)) for part, array in zip("wb", layer, strict=True)
    }
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, accuracy=np.array(test_accuracy), **arrays)
    partial.replace(path)


def load_module(folder: Path, classifier: Classifier) -> nn.Sequential:
    """Return the trained module."""
    module = classifier.module()
    with np.load(folder / f"{classifier.name}.npz", allow_pickle=False) as content, torch.no_grad():
        for k, layer in enumerate(layer for layer in module if isinstance(layer, nn.Linear)):
            layer.weight.copy_(torch.from_numpy(content[f"w{k}"]))
            layer.bias.copy_(torch.from_numpy(content[f"b{k}"]))
    return module.eval()


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


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folder_options(parser)
    add_classifier_options(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.networks.mkdir(parents=True, exist_ok=True)
    for classifier in chosen(options):
        path = options.networks / f"{classifier.name}.npz"
        if path.exists():
            continue
        data = images(options.data, classifier.dataset, classifier.side)
        module = train(classifier, data)
        found = accuracy(module, data)
        save(path, module, found)
        print(f"{classifier.name}: test accuracy {found:.4f}", flush=True)


if __name__ == "__main__":
    main()
