"""Networks of images with everything that rows carried as windows have to get right."""

from __future__ import annotations

import numpy as np

from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.identity import Identity
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Node, Relu
from netopt.specification.box import Box


def random_kernel(generator: np.random.Generator, outer: int, inner: int, taps: tuple[int, int]) -> np.ndarray:
    return generator.normal(size=(outer, inner, *taps)) / np.sqrt(inner * taps[0] * taps[1])


def residual_images(seed: int) -> Network:
    """Padding that differs by side, strides, dilation, identities, a 1 x 1 shortcut, and an input read twice."""
    generator = np.random.default_rng(seed)

    def convolution(outer: int, shape: tuple[int, int, int], taps: tuple[int, int], **layout: object) -> Convolution:
        return Convolution(random_kernel(generator, outer, shape[0], taps), shape, **layout)  # type: ignore[arg-type]

    def bias(size: int) -> np.ndarray:
        return generator.normal(size=size) * 0.2

    image, half = (3, 12, 14), (4, 6, 7)
    same = {"pads": (1, 1, 1, 1)}
    nodes: tuple[Node, ...] = (
        Affine("a1", (INPUT,), (convolution(3, (2, 12, 14), (3, 3), **same),), bias(504)),
        Relu("r1", "a1", 504),
        Affine("a2", ("r1", "r1"), (convolution(3, image, (1, 3), pads=(0, 2, 0, 0)), Identity(504)), bias(504)),
        Relu("r2", "a2", 504),
        Affine(
            "a3",
            ("r2", INPUT),
            (
                convolution(4, image, (3, 3), strides=(2, 2), **same),
                convolution(4, (2, 12, 14), (1, 1), strides=(2, 2)),
            ),
            bias(168),
        ),
        Relu("r3", "a3", 168),
        Affine("a4", ("r3", "r3"), (convolution(4, half, (2, 3), pads=(1, 1, 0, 1)), Identity(168)), bias(168)),
        Relu("r4", "a4", 168),
    )
    apart = convolution(2, half, (3, 3), dilations=(2, 2), pads=(2, 1, 2, 1))
    size = apart.out_size
    closing = (
        Affine("a5", ("r4",), (apart,), bias(size)),
        Relu("r5", "a5", size),
        Affine("y", ("r5",), (Dense(generator.normal(size=(3, size)) / np.sqrt(size)),), np.zeros(3)),
    )
    return Network((*nodes, *closing), "y", (TensorSpec("X", (1, 2, 12, 14)),), (TensorSpec("Y", (1, 3)),))


def small_box(network: Network, radius: float = 0.05) -> Box:
    centre = np.random.default_rng(9).random(network.input_size)
    return Box(centre - radius, centre + radius)
