"""Train small MNIST classifiers in four ways: ``networks.py DATA.npz FOLDER``; about a minute on one core.

784-50-50-10, Adam, two epochs, one thread and one seed: plain; an L1 penalty on the weights; Gaussian noise on the
images; and robust, on images moved within an L-infinity ball by three signed gradient steps.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from instances.make.torch_to_onnx import write_torch

KINDS = ("plain", "l1", "noise", "robust")
EPOCHS, BATCH, RATE = 2, 128, 2e-3
PENALTY, NOISE, RADIUS, STEPS = 3e-5, 0.3, 0.1, 3


def moved(module: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return images within the ball that a few gradient steps make worse."""
    shift = torch.empty_like(x).uniform_(-RADIUS, RADIUS)
    for _ in range(STEPS):
        shift.requires_grad_()
        loss = nn.functional.cross_entropy(module(x + shift), y)
        (gradient,) = torch.autograd.grad(loss, shift)
        shift = (shift.detach() + 0.5 * RADIUS * gradient.sign()).clamp(-RADIUS, RADIUS)
    return (x + shift).clamp(0.0, 1.0)


def train(kind: str, x: torch.Tensor, y: torch.Tensor) -> nn.Sequential:
    """Return a trained network."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 50), nn.ReLU(), nn.Linear(50, 10))
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            images, labels = x[rows], y[rows]
            if kind == "noise":
                images = images + NOISE * torch.randn_like(images)
            elif kind == "robust":
                images = moved(module, images, labels)
            loss = nn.functional.cross_entropy(module(images), labels)
            if kind == "l1":
                loss = loss + PENALTY * sum(p.abs().sum() for p in module.parameters())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return module.eval()


def main(data: str, folder: str) -> None:
    """Train and write all kinds."""
    torch.set_num_threads(1)
    arrays = np.load(data)
    x = torch.from_numpy(arrays["x_train"].reshape(-1, 784).astype(np.float32) / 255.0)
    y = torch.from_numpy(arrays["y_train"].astype(np.int64))
    Path(folder).mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        module = train(kind, x, y)
        write_torch(Path(folder) / f"{kind}-2x50.onnx", module, (1, 784))
        test = torch.from_numpy(arrays["x_test"].reshape(-1, 784).astype(np.float32) / 255.0)
        with torch.no_grad():
            hits = module(test).argmax(dim=1).numpy() == arrays["y_test"]
        print(f"{kind}: test accuracy {hits.mean():.4f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
