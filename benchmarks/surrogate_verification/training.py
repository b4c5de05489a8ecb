"""Train the image classifiers of the experiment and keep their weights in a folder outside of the project.

``python -m benchmarks.surrogate_verification.training --data FOLDER --networks FOLDER`` trains what the folder lacks.
One thread, a few seconds a network; a machine of the same kind makes the same weights from the same seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.surrogate_verification.networks import (
    Classifier,
    add_classifier_options,
    add_folder_options,
    chosen,
    images,
)
from instances.make.architectures import mlp
from instances.make.image_data import ImageData
from instances.make.train import fit

EPOCHS = 5

Kept = Mapping[int, np.ndarray]


def untrained(classifier: Classifier) -> nn.Sequential:
    """Return the torch module before training."""
    depth, width = classifier.architecture.split("x")
    return mlp(int(depth), int(width), classifier.side**2)


def train(classifier: Classifier, data: ImageData) -> nn.Sequential:
    """Return the trained module, in evaluation mode."""
    torch.manual_seed(classifier.seed)
    module = untrained(classifier)
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
    module = untrained(classifier)
    with np.load(folder / f"{classifier.name}.npz", allow_pickle=False) as content, torch.no_grad():
        for k, layer in enumerate(layer for layer in module if isinstance(layer, nn.Linear)):
            layer.weight.copy_(torch.from_numpy(content[f"w{k}"]))
            layer.bias.copy_(torch.from_numpy(content[f"b{k}"]))
    return module.eval()


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
