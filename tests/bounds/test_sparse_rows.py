"""Sparse rows: the same functions as dense ones, and chosen for networks whose neurons see few others."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netopt.bounds import sparse_rows
from netopt.bounds.boxes import BoxBounds
from netopt.bounds.precision import DOUBLE, SINGLE, Precision
from netopt.bounds.sparse_rows import entries_seen
from netopt.network.build import from_weights
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Node, Relu
from netopt.network.sparse import Sparse

PRECISIONS = pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=["float32", "float64"])


def tree(generator: np.random.Generator, leaves: int, scale: float = 1.0) -> Network:
    """The minimum of linear functions, two at a time: min(a, b) = a - relu(a - b), with skip connections for a."""
    from scipy import sparse

    dense = sparse.csr_array(generator.normal(size=(leaves, 3)) * scale)
    nodes: list[Node] = [Affine("leaves", (INPUT,), (Sparse(dense),), generator.normal(size=leaves) * scale)]
    source, size = "leaves", leaves
    while size > 1:
        half = size // 2
        pick = sparse.csr_array((np.ones(half), (np.arange(half), 2 * np.arange(half))), shape=(half, size))
        other = sparse.csr_array((np.ones(half), (np.arange(half), 2 * np.arange(half) + 1)), shape=(half, size))
        difference, least = f"difference{half}", f"least{half}"
        nodes.append(Affine(difference, (source,), (Sparse(sparse.csr_array(pick - other)),), np.zeros(half)))
        nodes.append(Relu(f"relu{half}", difference, half))
        minus = Sparse(sparse.csr_array(-sparse.eye_array(half)))
        nodes.append(Affine(least, (source, f"relu{half}"), (Sparse(pick), minus), np.zeros(half)))
        source, size = least, half
    return Network(tuple(nodes), source, (TensorSpec("x", (3,)),), (TensorSpec("y", (1,)),))


def chain(generator: np.random.Generator) -> Network:
    sizes = [3, 12, 10, 2]
    weights = [
        np.where(generator.random((k, j)) < 0.6, generator.normal(size=(k, j)), 0.0)
        for j, k in itertools.pairwise(sizes)
    ]
    return from_weights(weights, [generator.normal(size=k) for k in sizes[1:]])


@PRECISIONS
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1.0, 1e-3, 1e4, 1e-12]))
@settings(max_examples=12)
def test_sparse_rows_say_what_dense_rows_say(precision: Precision, seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    for network in (tree(generator, 16, scale), chain(generator)):
        count, n = 4, network.input_size
        lower = generator.normal(size=(count, n))
        upper = lower + generator.random((count, n)) * (generator.random((count, n)) < 0.8)
        outputs = generator.normal(size=(2 * count, network.output_size))
        inputs = generator.normal(size=(2 * count, n))
        owner = np.repeat(np.arange(count), 2)
        dense = BoxBounds(network, precision).over(lower, upper, None, np.arange(n))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sparse_rows, "_WIDE", 0)
            patch.setattr(sparse_rows, "_SHARE", np.inf)
            parent = BoxBounds(network, precision)
        assert parent.seen is not None
        found = parent.over(lower, upper, None, np.arange(n))
        one, other = found.functions(outputs, inputs, owner), dense.functions(outputs, inputs, owner)
        size = 1.0 + np.abs(other.bound).max() + np.abs(other.slope).max()
        tolerance = (3e-4 if precision is SINGLE else 1e-11) * size
        assert np.allclose(one.bound, other.bound, rtol=0.0, atol=tolerance)
        # Bounds that rounding puts on another side of zero, or of -lower, ask for another line.
        if precision is DOUBLE:
            assert np.allclose(one.slope, other.slope, rtol=0.0, atol=1e-6 * size)
            blame = found.loosened_by(outputs, inputs, owner)
            assert np.allclose(blame, dense.loosened_by(outputs, inputs, owner), rtol=1e-3, atol=1e-5 * size)
        for k in range(count):
            points = lower[k] + generator.random((300, n)) * (upper[k] - lower[k])
            points[:100] = np.where(generator.random((100, n)) < 0.5, lower[k], upper[k])
            values, before = network.forward(points), network.preactivations(points)
            for row in (2 * k, 2 * k + 1):
                value = values @ outputs[row] + points @ inputs[row]
                room = 1e-13 * (1.0 + np.abs(value).max() + np.abs(points).max())  # the test's own rounding
                assert (value <= points @ one.slope[row] + one.constant[row] + room).all()
            for relu in network.relus:
                low, high = found.bounds_of(relu)
                assert (before[relu.name] >= low[k]).all()
                assert (before[relu.name] <= high[k]).all()


def test_wide_trees_have_sparse_rows_and_dense_networks_have_not() -> None:
    generator = np.random.default_rng(0)
    seen = entries_seen(tree(generator, 1024))
    assert seen is not None
    assert seen["difference512"] <= 8
    assert seen["difference1"] >= 512
    assert entries_seen(tree(generator, 16)) is None
    wide = from_weights(
        [generator.normal(size=(600, 3)), generator.normal(size=(600, 600)), np.ones((1, 600))],
        [np.zeros(600), np.zeros(600), np.zeros(1)],
    )
    assert entries_seen(wide) is None
