"""Networks of every shape that pruning is tested on, and plain recomputations."""

from __future__ import annotations

import numpy as np
from bound_cases import NETWORKS, random_network
from scipy import sparse

from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Relu
from netopt.network.sparse import Sparse


def pooled_network(seed: int = 5) -> Network:
    """Two stacked convolutions with many windows, an average, and a sparse learned map."""
    generator = np.random.default_rng(seed)
    first = Convolution(generator.normal(size=(3, 2, 3, 3)) / 4.0, (2, 6, 6), (1, 1), (1, 1, 1, 1))
    second = Convolution(generator.normal(size=(4, 3, 3, 3)) / 5.0, (3, 6, 6), (1, 1), (1, 1, 1, 1))
    average = Sparse(sparse.csr_array(np.kron(np.eye(16), np.full((1, 9), 1.0 / 9.0))))
    learned = sparse.random_array((5, 16), density=0.5, rng=generator, data_sampler=generator.standard_normal)
    nodes = (
        Affine("conv1", (INPUT,), (first,), np.repeat(generator.normal(size=3) - 0.5, 36)),
        Relu("relu1", "conv1", 108),
        Affine("conv2", ("relu1",), (second,), np.repeat(generator.normal(size=4) - 0.5, 36)),
        Relu("relu2", "conv2", 144),
        Affine("pool", ("relu2",), (average,), np.zeros(16)),
        Affine("sparse", ("pool",), (Sparse(sparse.csr_array(learned)),), generator.normal(size=5)),
        Relu("relu3", "sparse", 5),
        Affine("output", ("relu3",), (Dense(generator.normal(size=(2, 5))),), np.zeros(2)),
    )
    return Network(nodes, "output", (TensorSpec("X", (1, 2, 6, 6)),), (TensorSpec("Y", (1, 2)),))


ALL = {**NETWORKS, "pooled": pooled_network(), "wide": random_network(8, (30, 40, 20, 10))}


def values_of(network: Network, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return the values of all nodes at points (count, n), by name."""
    values = {INPUT: points}
    for node in network.nodes:
        values[node.name] = node.value(values, len(values[INPUT]))
    return values


def pairs(linear_map: LinearMap) -> list[list[tuple[int, int]]]:
    """Return, for each stored weight in order, the (output, input) pairs it joins, by marking it alone."""
    joined = []
    if isinstance(linear_map, Sparse):
        matrix = sparse.coo_array(linear_map.weight)
        return [[(int(i), int(j))] for i, j in zip(*matrix.coords, strict=True)]
    assert isinstance(linear_map, Dense | Convolution)
    for k in range(linear_map.weight.size):
        marked = np.zeros(linear_map.weight.shape)
        marked.flat[k] = 1.0
        alone = linear_map.with_weight(marked) if isinstance(linear_map, Convolution) else Dense(marked)
        rows, columns = np.nonzero(alone.to_csr().toarray())
        joined.append(list(zip(rows.tolist(), columns.tolist(), strict=True)))
    return joined
