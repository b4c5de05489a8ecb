"""Small classification problems and networks that HARP is tested on."""

from __future__ import annotations

import numpy as np
from bound_cases import random_network

from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.identity import Identity
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Relu


def residual_network(seed: int = 0) -> Network:
    """Two convolutions with a skip connection around the second, and a dense output: 2 x 4 x 4 images, 3 classes."""
    generator = np.random.default_rng(seed)
    first = Convolution(generator.normal(size=(3, 2, 3, 3)) / 3.0, (2, 4, 4), pads=(1, 1, 1, 1))
    second = Convolution(generator.normal(size=(3, 3, 3, 3)) / 4.0, (3, 4, 4), pads=(1, 1, 1, 1))
    nodes = (
        Affine("conv1", (INPUT,), (first,), np.repeat(generator.normal(size=3) / 4.0, 16)),
        Relu("relu1", "conv1", 48),
        Affine("conv2", ("relu1", "relu1"), (second, Identity(48)), np.repeat(generator.normal(size=3) / 4.0, 16)),
        Relu("relu2", "conv2", 48),
        Affine("output", ("relu2",), (Dense(generator.normal(size=(3, 48)) / 5.0),), generator.normal(size=3)),
    )
    return Network(nodes, "output", (TensorSpec("X", (1, 2, 4, 4)),), (TensorSpec("Y", (1, 3)),))


def stacked_network(seed: int = 0) -> Network:
    """Two convolutions in a row, the first strided, and two dense layers: 1 x 6 x 6 images, 3 classes."""
    generator = np.random.default_rng(seed)
    first = Convolution(generator.normal(size=(4, 1, 3, 3)) / 2.0, (1, 6, 6), (2, 2), (1, 1, 1, 1))
    second = Convolution(generator.normal(size=(5, 4, 2, 2)) / 3.0, (4, 3, 3))
    nodes = (
        Affine("conv1", (INPUT,), (first,), np.repeat(generator.normal(size=4) / 4.0, 9)),
        Relu("relu1", "conv1", 36),
        Affine("conv2", ("relu1",), (second,), np.repeat(generator.normal(size=5) / 4.0, 4)),
        Relu("relu2", "conv2", 20),
        Affine("dense", ("relu2",), (Dense(generator.normal(size=(7, 20)) / 4.0),), generator.normal(size=7) / 4.0),
        Relu("relu3", "dense", 7),
        Affine("output", ("relu3",), (Dense(generator.normal(size=(3, 7)) / 2.0),), generator.normal(size=3)),
    )
    return Network(nodes, "output", (TensorSpec("X", (1, 1, 6, 6)),), (TensorSpec("Y", (1, 3)),))


def rings(count: int = 256, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return points of the unit square and whether they lie near its middle."""
    points = np.random.default_rng(seed).random((count, 2)).astype(np.float32)
    return points, (np.abs(points - 0.5).sum(axis=1) < 0.35).astype(np.int64)


def small_network(seed: int = 0) -> Network:
    """Return a network for `rings`: 2-16-16-2."""
    return random_network(seed, (2, 16, 16, 2))
