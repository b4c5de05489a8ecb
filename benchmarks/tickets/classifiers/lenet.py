"""Train LeNet-5 with ReLUs and average pools: python benchmarks/tickets/classifiers/lenet.py DATA.npz OUT.onnx.

Two 5x5 convolutions (6 and 16 channels), then 120, 84 and 10 neurons: 61,706 parameters.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from instances.make.train import fit
from netopt.network.load import load_network
from netopt.network.onnx_writer import write_onnx


def lenet() -> nn.Sequential:
    """Return the network, untrained."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def main() -> None:
    """Train on some images and write the network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with np.load(arguments.data) as arrays:
        x = torch.from_numpy((arrays["x_train"][: arguments.images] / 255.0).astype(np.float32)[:, None])
        y = torch.from_numpy(arrays["y_train"][: arguments.images].astype(np.int64))
    module = lenet()
    fit(module, x, y, epochs=arguments.epochs)
    write_onnx(load_network(module, input_shape=(1, 28, 28)), arguments.output)


if __name__ == "__main__":
    main()
