"""Random networks with every kind of neuron a reduction treats apart, and the ways to compare two networks."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from netopt.bounds.compute import compute_bounds
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Node, Relu
from netopt.network.sparse import Sparse
from netopt.reduction import Reduction, reduce_network
from netopt.specification.domain import Domain

KINDS = ("plain", "residual", "convolutional")


def degenerate_matrix(generator: np.random.Generator, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and bias with zero rows and columns, proportional rows, and neurons always or never on."""
    weight = generator.normal(size=(rows, columns)) / np.sqrt(max(columns, 1))
    weight[generator.random(weight.shape) < 0.3] = 0.0
    bias = generator.normal(size=rows) * 0.5
    kind = generator.integers(0, 14, size=rows)
    weight[kind == 0] = 0.0
    bias[kind == 1] = 40.0
    bias[kind == 2] = -40.0
    for row in np.flatnonzero(kind == 3):
        factor = generator.choice([1.0, 2.0, 0.3, 1e-3, 7.7])
        source = generator.integers(rows)
        weight[row], bias[row] = factor * weight[source], factor * bias[source]
    weight[:, generator.random(columns) < 0.08] = 0.0
    return weight, bias


def as_map(generator: np.random.Generator, weight: np.ndarray) -> LinearMap:
    """Return a matrix as Dense, as Sparse, or as Sparse with stored zeros."""
    choice = generator.integers(3)
    if choice == 0:
        return Dense(weight)
    matrix = sparse.csr_array(weight)
    if choice == 2 and matrix.nnz:
        matrix.data[generator.integers(matrix.nnz)] = 0.0
    return Sparse(matrix)


def plain(generator: np.random.Generator, scale: float) -> Network:
    sizes = [3, *generator.integers(1, 9, size=generator.integers(1, 4)).tolist(), 2]
    nodes: list[Node] = []
    source = INPUT
    for k in range(1, len(sizes)):
        weight, bias = degenerate_matrix(generator, sizes[k], sizes[k - 1])
        nodes.append(Affine(f"a{k}", (source,), (as_map(generator, weight * scale),), bias * scale))
        source = f"a{k}"
        if k < len(sizes) - 1 or generator.random() < 0.2:
            nodes.append(Relu(f"r{k}", source, sizes[k]))
            source = f"r{k}"
    return Network(tuple(nodes), source, (TensorSpec("X", (1, 3)),), (TensorSpec("Y", (1, 2)),))


def residual(generator: np.random.Generator, scale: float) -> Network:
    """An Affine that a ReLU and Affines read, skips from the input and past ReLUs, an Affine that only Affines read."""

    def affine(name: str, size: int, *sources: tuple[str, int]) -> Affine:
        parts = [degenerate_matrix(generator, size, inner) for _, inner in sources]
        maps = tuple(as_map(generator, weight * scale) for weight, _ in parts)
        return Affine(name, tuple(source for source, _ in sources), maps, parts[0][1] * scale)

    n, k = 3, 6
    nodes = (
        affine("a1", k, (INPUT, n)),
        Relu("r1", "a1", k),
        affine("a2", k, ("r1", k), ("a1", k)),
        Relu("r2", "a2", k),
        affine("a3", 4, ("r2", k), ("a2", k), (INPUT, n), ("r1", k)),
        affine("a4", k, ("a3", 4), ("r2", k)),
        Relu("r4", "a4", k),
        Relu("r5", "a2", k),
        affine("y", 2, ("r4", k), ("r5", k), ("a3", 4)),
    )
    return Network(nodes, "y", (TensorSpec("X", (1, n)),), (TensorSpec("Y", (1, 2)),))


def convolutional(generator: np.random.Generator, scale: float) -> Network:
    """Convolutions with channels that are dead, constant or always on, a residual one, one in groups, then dense."""

    def kernel(outer: int, inner: int) -> tuple[np.ndarray, np.ndarray]:
        weight, bias = degenerate_matrix(generator, outer, inner * 9)
        return weight.reshape(outer, inner, 3, 3) * scale, np.repeat(bias * scale, 4)

    first_kernel, first_bias = kernel(3, 1)
    second_kernel, second_bias = kernel(3, 3)
    grouped = generator.random() < 0.3
    second_kernel = second_kernel[:, :1] if grouped else second_kernel
    third_kernel, third_bias = kernel(2, 3)
    first = Convolution(first_kernel, (1, 3, 3), (2, 2), (1, 1, 1, 1))
    second = Convolution(second_kernel, (3, 2, 2), (1, 1), (1, 1, 1, 1), groups=3 if grouped else 1)
    third = Convolution(third_kernel, (3, 2, 2), (1, 1), (1, 1, 1, 1))
    last, last_bias = degenerate_matrix(generator, 2, 8)
    skip = Sparse(sparse.csr_array(sparse.eye_array(12)))
    nodes = (
        Affine("c1", (INPUT,), (first,), first_bias),
        Relu("r1", "c1", 12),
        Affine("c2", ("r1", "c1"), (second, skip), second_bias),
        Relu("r2", "c2", 12),
        Affine("c3", ("r2",), (third,), third_bias),
        Relu("r3", "c3", 8),
        Affine("y", ("r3",), (as_map(generator, last * scale),), last_bias * scale),
    )
    return Network(nodes, "y", (TensorSpec("X", (1, 1, 3, 3)),), (TensorSpec("Y", (1, 2)),))


def random_network(kind: str, seed: int, scale: float = 1.0) -> Network:
    make = {"plain": plain, "residual": residual, "convolutional": convolutional}[kind]
    return make(np.random.default_rng(seed), scale)


def reduced(network: Network, domain: Domain, level: str = "crown") -> Reduction:
    return reduce_network(network, domain, compute_bounds(network, domain, level))


def magnitude(network: Network, points: np.ndarray) -> float:
    """Return the largest sum of absolute terms anywhere in the network at the points: what rounding is relative to."""
    value, largest = {INPUT: np.abs(points)}, 1e-300
    for node in network.nodes:
        if isinstance(node, Relu):
            value[node.name] = value[node.input]
            continue
        total = np.abs(node.bias) + np.zeros((points.shape[0], node.size))
        for source, linear_map in zip(node.inputs, node.maps, strict=True):
            total = total + linear_map.apply_abs(value[source])
        value[node.name] = total
        largest = max(largest, float(total.max(initial=0.0)))
    return largest
