"""Train the image classifiers: ``python -m instances.make.train --data FILE.npz --name mnist [--networks 2x50 cnn]``.

Adam, one-cycle learning rate, cross-entropy, light weight decay, no augmentation and no adversarial training:
the networks the field verifies. One thread and one seed, so that a machine of the same kind makes the same weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import nn

from instances.make.architectures import ARCHITECTURES
from instances.make.image_data import ImageData, read_image_data
from instances.make.torch_to_onnx import write_torch

NETWORKS = Path(__file__).resolve().parents[1] / "networks"
BATCH = 128


def train(data: ImageData, architecture: str, *, epochs: int, seed: int) -> tuple[nn.Sequential, float]:
    """Return a trained network in evaluation mode and its test accuracy."""
    torch.manual_seed(seed)
    make, shape = ARCHITECTURES[architecture]
    module = make()
    x = torch.from_numpy(data.x_train).reshape(-1, *shape[1:])
    y = torch.from_numpy(data.y_train)
    fit(module, x, y, epochs=epochs)
    with torch.no_grad():
        scores = module(torch.from_numpy(data.x_test).reshape(-1, *shape[1:])).numpy()
    return module, float(np.mean(scores.argmax(axis=1) == data.y_test))


def fit(
    module: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    epochs: int,
    learning_rate: float = 4e-3,
    kept: Mapping[nn.Parameter, torch.Tensor] = MappingProxyType({}),
) -> None:
    """Train a module in place and leave it in evaluation mode.

    Parameters
    ----------
    x, y : images in the module's shape, and their classes.
    learning_rate : the highest of the one-cycle schedule.
    kept : parameter -> tensor of 0 and 1 in its shape; entries at 0 stay at zero throughout.
    """
    optimizer = torch.optim.Adam(module.parameters(), weight_decay=1e-5)
    steps = epochs * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=learning_rate, total_steps=steps)
    module.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                for parameter, mask in kept.items():
                    parameter.mul_(mask)
    module.eval()


def main() -> None:
    """Train and write every network asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST-like .npz, or one of its IDX files")
    parser.add_argument("--name", required=True, help="prefix of the files written, e.g. mnist")
    parser.add_argument("--networks", nargs="+", choices=sorted(ARCHITECTURES), default=sorted(ARCHITECTURES))
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = read_image_data(arguments.data)
    for architecture in arguments.networks:
        module, accuracy = train(data, architecture, epochs=arguments.epochs, seed=arguments.seed)
        path = NETWORKS / f"{arguments.name}-{architecture}.onnx"
        write_torch(path, module, ARCHITECTURES[architecture][1])
        print(f"{path.name}: test accuracy {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
