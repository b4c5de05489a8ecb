"""Small networks of every shape that bounds are tested on, and exact answers about them."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.build import from_weights
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Relu
from netopt.network.sparse import Sparse
from netopt.specification.box import Box
from netopt.specification.domain import Domain


def random_network(seed: int, sizes: tuple[int, ...] = (4, 7, 6, 3), scale: float = 1.0) -> Network:
    generator = np.random.default_rng(seed)
    weights = [generator.normal(size=(o, i)) * scale / np.sqrt(i) for i, o in itertools.pairwise(sizes)]
    return from_weights(weights, [generator.normal(size=o) * 0.3 * scale for o in sizes[1:]])


def degenerate_network(seed: int = 0) -> Network:
    """Zero rows, zero columns, dead and always active neurons, ties, a layer of one neuron."""
    generator = np.random.default_rng(seed)
    first, second = generator.normal(size=(6, 3)), generator.normal(size=(5, 6))
    first[0], first[1, 1:], first[2] = 0.0, 0.0, first[3]
    second[0], second[:, 4] = 0.0, 0.0
    bias = np.array([0.0, -50.0, 0.0, 0.0, 50.0, -0.0])
    third, fourth = generator.normal(size=(1, 5)), generator.normal(size=(2, 1))
    return from_weights([first, second, third, fourth], [bias, generator.normal(size=5), [0.0], [0.0, 1.0]])


def residual_network(seed: int = 1) -> Network:
    """Two skips, one past a ReLU and one from the input; an Affine read by an Affine and by a ReLU."""
    generator = np.random.default_rng(seed)

    def dense(outer: int, inner: int) -> Dense:
        return Dense(generator.normal(size=(outer, inner)) / np.sqrt(inner))

    identity = Sparse(sparse.csr_array(sparse.eye_array(6)))
    nodes = (
        Affine("a1", (INPUT,), (dense(6, 3),), generator.normal(size=6)),
        Relu("r1", "a1", 6),
        Affine("a2", ("r1",), (dense(6, 6),), generator.normal(size=6)),
        Relu("r2", "a2", 6),
        Affine("a3", ("r2", "r1", INPUT), (dense(6, 6), identity, dense(6, 3)), generator.normal(size=6)),
        Relu("r3", "a3", 6),
        Affine("a4", ("r3", "a3"), (dense(4, 6), dense(4, 6)), generator.normal(size=4)),
        Relu("r4", "a4", 4),
        Affine("y", ("r4", "a4", INPUT), (dense(2, 4), dense(2, 4), dense(2, 3)), np.zeros(2)),
    )
    return Network(nodes, "y", (TensorSpec("X", (1, 3)),), (TensorSpec("Y", (1, 2)),))


def convolutional_network(seed: int = 2) -> Network:
    """A padded, strided convolution, one in groups with a skip, and a ReLU as output."""
    generator = np.random.default_rng(seed)
    first = Convolution(generator.normal(size=(2, 1, 3, 3)) / 3.0, (1, 4, 4), (2, 2), (1, 1, 1, 1))
    second = Convolution(generator.normal(size=(2, 1, 3, 3)) / 3.0, (2, 2, 2), (1, 1), (1, 1, 1, 1), groups=2)
    identity = Sparse(sparse.csr_array(sparse.eye_array(8)))
    nodes = (
        Affine("conv1", (INPUT,), (first,), np.repeat(generator.normal(size=2), 4)),
        Relu("relu1", "conv1", 8),
        Affine("conv2", ("relu1", "relu1"), (second, identity), np.zeros(8)),
        Relu("relu2", "conv2", 8),
        Affine("dense", ("relu2",), (Dense(generator.normal(size=(3, 8)) / 3.0),), generator.normal(size=3)),
        Relu("relu3", "dense", 3),
    )
    return Network(nodes, "relu3", (TensorSpec("X", (1, 1, 4, 4)),), (TensorSpec("Y", (1, 3)),))


NETWORKS = {
    "perceptron": random_network(3),
    "deep": random_network(4, (5, 8, 8, 8, 8, 8, 2)),
    "degenerate": degenerate_network(),
    "residual": residual_network(),
    "convolutional": convolutional_network(),
}


def unit_box(network: Network, radius: float = 1.0) -> Box:
    center = np.linspace(-0.5, 0.5, network.input_size)
    return Box(center - radius, center + radius)


def exact_preactivations(network: Network, x: np.ndarray) -> dict[str, list[Fraction]]:
    """Return every node's value at x in exact arithmetic."""
    values = {INPUT: [Fraction(v) for v in x.tolist()]}
    for node in network.nodes:
        if isinstance(node, Relu):
            values[node.name] = [max(v, Fraction(0)) for v in values[node.input]]
            continue
        total = [Fraction(v) for v in node.bias.tolist()]
        for source, linear_map in zip(node.inputs, node.maps, strict=True):
            matrix = linear_map.to_csr().toarray().tolist()
            for k, row in enumerate(matrix):
                total[k] += sum(Fraction(w) * v for w, v in zip(row, values[source], strict=True) if w)
        values[node.name] = total
    return values


def exact_range(network: Network, box: Box, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the exact range of a plain network's Affine, by one LP for every activation pattern before it."""
    before = network.nodes[: [node.name for node in network.nodes].index(name) + 1]
    affines = [node for node in before if isinstance(node, Affine)]
    hidden = [affine.size for affine in affines[:-1]]
    size = affines[-1].size
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    for pattern in itertools.product((0.0, 1.0), repeat=sum(hidden)):
        matrix, constant, rows, sides, used = np.eye(network.input_size), np.zeros(network.input_size), [], [], 0
        for affine in affines[:-1]:
            weight = affine.maps[0].to_csr().toarray()
            matrix, constant = weight @ matrix, weight @ constant + affine.bias
            phase = np.array(pattern[used : used + affine.size])
            used += affine.size
            sign = 1.0 - 2.0 * phase
            rows, sides = [*rows, sign[:, None] * matrix], [*sides, -sign * constant]
            matrix, constant = phase[:, None] * matrix, phase * constant
        weight = affines[-1].maps[0].to_csr().toarray()
        matrix, constant = weight @ matrix, weight @ constant + affines[-1].bias
        region = {"A_ub": np.vstack(rows), "b_ub": np.concatenate(sides)} if rows else {}
        bounds = list(zip(box.low, box.high, strict=True))
        for k in range(size):
            least = linprog(matrix[k], bounds=bounds, **region)
            if least.status == 2:
                break
            most = linprog(-matrix[k], bounds=bounds, **region)
            low[k] = min(low[k], least.fun + constant[k])
            high[k] = max(high[k], -most.fun + constant[k])
    return low, high


def samples_and_corners(domain: Domain) -> np.ndarray:
    """Return 10 000 random members of a domain, and 200 where linear functions are largest."""
    generator = np.random.default_rng(0)
    corners = domain.maximizer(generator.normal(size=(200, domain.dimension)))
    return np.concatenate([domain.sample(generator, 10_000), corners])


def assert_inside(network: Network, bounds: PreactivationBounds, points: np.ndarray) -> None:
    """Check that the pre-activations and outputs at some points lie within bounds."""
    before, outputs = network.preactivations(points), network.forward(points)
    for relu in network.relus:
        assert (before[relu.name] >= bounds.lower[relu.name]).all()
        assert (before[relu.name] <= bounds.upper[relu.name]).all()
    assert (outputs >= bounds.output_lower).all()
    assert (outputs <= bounds.output_upper).all()


def assert_no_looser(tight: PreactivationBounds, loose: PreactivationBounds) -> None:
    """Check that bounds lie within others."""
    assert tight.lower.keys() == loose.lower.keys()
    for name in loose.lower:
        assert (tight.lower[name] >= loose.lower[name]).all()
        assert (tight.upper[name] <= loose.upper[name]).all()


def assert_between(network: Network, domain: Domain, loose: PreactivationBounds, tight: PreactivationBounds) -> None:
    """Check that tight bounds hold over a domain and lie within loose ones."""
    assert_inside(network, tight, samples_and_corners(domain))
    assert_no_looser(tight, loose)
