"""Small targets of every kind, and tickets of them made with the tests' own search."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from simple_search import flip_until_none_helps

from netopt.network.build import from_weights
from netopt.network.composition import weighted_sums
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.identity import Identity
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Relu
from netopt.specification.box import Box
from netopt.ticket.build import build_ticket
from netopt.ticket.found import Found
from netopt.ticket.layers import learned_layers
from netopt.ticket.scales import equal_scales, reaching_scales
from netopt.ticket.search import searched


def perceptron(seed: int = 0, sizes: tuple[int, ...] = (4, 5, 3), *, bias: float = 0.1) -> Network:
    """Return a random multilayer perceptron."""
    generator = np.random.default_rng(seed)
    pairs = list(pairwise(sizes))
    weights = [0.3 * generator.normal(size=(after, before)) for before, after in pairs]
    return from_weights(weights, [bias * generator.normal(size=after) for _, after in pairs])


def convolutional(seed: int = 0, groups: int = 1, *, pool: bool = True) -> Network:
    """Return a random network of two convolutions (padding, stride, dilation), an average pool or not, and a matrix."""
    generator = np.random.default_rng(seed)
    first = Convolution(0.3 * generator.normal(size=(4, 2, 3, 2)), (2, 6, 6), pads=(1, 0, 1, 1))
    second = Convolution(
        0.3 * generator.normal(size=(6, 4 // groups, 2, 2)), (4, 6, 6), (2, 1), (0, 1, 0, 1), (1, 2), groups
    )
    assert first.out_shape == (4, 6, 6)
    channels, height, width = second.out_shape
    pixel = np.arange(second.out_size).reshape(channels, height * width)
    average = weighted_sums(pixel, np.full(pixel.shape, 1.0 / pixel.shape[1]), second.out_size)
    read = "pool" if pool else "layer2.relu"
    pooled = (Affine("pool", ("layer2.relu",), (average,), np.zeros(channels)),) if pool else ()
    last = Dense(generator.normal(size=(3, channels if pool else second.out_size)))
    nodes = (
        Affine("layer1.affine", (INPUT,), (first,), np.repeat(0.1 * generator.normal(size=4), 36)),
        Relu("layer1.relu", "layer1.affine", first.out_size),
        Affine("layer2.affine", ("layer1.relu",), (second,), np.repeat(0.1 * generator.normal(size=6), pixel.shape[1])),
        Relu("layer2.relu", "layer2.affine", second.out_size),
        *pooled,
        Affine("output.affine", (read,), (last,), generator.normal(size=3)),
    )
    return Network(nodes, "output.affine", (TensorSpec("X", (1, 2, 6, 6)),), (TensorSpec("Y", (1, 3)),))


def residual(seed: int = 0) -> Network:
    """Return a random network with a skip past a layer and a ReLU at the output."""
    generator = np.random.default_rng(seed)
    first, second, last = (Dense(0.4 * generator.normal(size=shape)) for shape in ((5, 3), (5, 5), (2, 5)))
    nodes = (
        Affine("layer1.affine", (INPUT,), (first,), 0.1 * generator.normal(size=5)),
        Relu("layer1.relu", "layer1.affine", 5),
        Affine(
            "layer2.affine", ("layer1.relu", "layer1.affine"), (second, Identity(5)), 0.1 * generator.normal(size=5)
        ),
        Relu("layer2.relu", "layer2.affine", 5),
        Affine("layer3.affine", ("layer2.relu",), (last,), np.zeros(2)),
        Relu("layer3.relu", "layer3.affine", 2),
    )
    return Network(nodes, "layer3.relu", (TensorSpec("X", (1, 3)),), (TensorSpec("Y", (1, 2)),))


TARGETS = {
    "perceptron": perceptron,
    "deep": lambda: perceptron(1, (3, 4, 4, 4, 2)),
    "no bias": lambda: perceptron(2, bias=0.0),
    "affine": lambda: perceptron(3, (4, 2)),
    "convolutional": convolutional,
    "grouped": lambda: convolutional(1, groups=2),
    "residual": residual,
}


def box_of(target: Network, lower: float) -> Box:
    """Return [lower, 1] for every input."""
    return Box(np.full(target.input_size, lower), np.ones(target.input_size))


def found_for(
    target: Network,
    domain: Box,
    *,
    width: int = 60,
    scale: float | None = None,
    seed: int = 0,
    dimension: int | None = None,
) -> Found:
    """Return a ticket made with the plain search."""
    return build_ticket(
        target,
        learned_layers(target, domain, equal_scales(scale) if scale else reaching_scales(width), dimension),
        width=width,
        seed=seed,
        choose=searched(flip_until_none_helps),
        advance=lambda key, done, total: None,
    )
