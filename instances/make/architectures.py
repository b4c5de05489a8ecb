"""The torch networks that are trained here: plain MLPs, a small CNN, a small residual CNN, for 28 x 28 images."""

from __future__ import annotations

import torch
from torch import nn

CLASSES = 10
PIXELS = 784


class ResidualBlock(nn.Module):
    """``relu(main(x) + shortcut(x))``: two batch-normalised 3x3 convolutions beside a strided 1x1 one."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False), nn.BatchNorm2d(channels_out)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.main(x) + self.shortcut(x))


def mlp(depth: int, width: int, inputs: int = PIXELS) -> nn.Sequential:
    """Return ``depth`` hidden layers of ``width`` ReLUs on flat images."""
    layers: list[nn.Module] = []
    size = inputs
    for _ in range(depth):
        layers += [nn.Linear(size, width), nn.ReLU()]
        size = width
    return nn.Sequential(*layers, nn.Linear(size, CLASSES))


def cnn() -> nn.Sequential:
    """Return two strided convolutions and one hidden dense layer: 784 + 392 + 50 ReLUs."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 8, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(392, 50),
        nn.ReLU(),
        nn.Linear(50, CLASSES),
    )


def residual_cnn() -> nn.Sequential:
    """Return a batch-normalised stem and one residual block: 784 + 392 + 392 ReLUs."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        ResidualBlock(4, 8, stride=2),
        nn.Flatten(),
        nn.Linear(392, CLASSES),
    )


#: Name in the file name -> how to make it and the shape of its input.
ARCHITECTURES = {
    "2x50": (lambda: mlp(2, 50), (1, PIXELS)),
    "2x100": (lambda: mlp(2, 100), (1, PIXELS)),
    "4x100": (lambda: mlp(4, 100), (1, PIXELS)),
    "2x256": (lambda: mlp(2, 256), (1, PIXELS)),
    "cnn": (cnn, (1, 1, 28, 28)),
    "residual": (residual_cnn, (1, 1, 28, 28)),
}
