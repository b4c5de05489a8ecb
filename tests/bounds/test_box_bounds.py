from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from bound_cases import exact_preactivations, random_network
from hypothesis import given, settings
from hypothesis import strategies as st

from netopt.bounds.boxes import BoxBounds
from netopt.bounds.crown import crown_bounds
from netopt.bounds.half_spaces import HalfSpaces, clip, largest_within
from netopt.bounds.precision import DOUBLE, SINGLE, Precision
from netopt.bounds.rows import upper_functions
from netopt.network.build import from_weights
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Relu
from netopt.network.sparse import Sparse
from netopt.specification.box import Box

PRECISIONS = pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=["float32", "float64"])


def residual(generator: np.random.Generator, scale: float = 1.0) -> Network:
    """A convolution, a sparse layer and a skip connection past it."""
    first = Convolution(generator.normal(size=(2, 1, 2, 2)) * scale, (1, 3, 3))
    inner = np.where(generator.random((8, 8)) < 0.5, generator.normal(size=(8, 8)), 0.0)
    last = generator.normal(size=(2, 8))
    nodes = (
        Affine("a", (INPUT,), (first,), generator.normal(size=8) * scale),
        Relu("ra", "a", 8),
        Affine("b", ("ra", "a"), (Sparse(Dense(inner).to_csr()), Dense(np.eye(8))), generator.normal(size=8) * scale),
        Relu("rb", "b", 8),
        Affine("y", ("rb", "ra"), (Dense(last), Dense(last[::-1].copy())), np.zeros(2)),
    )
    return Network(nodes, "y", (TensorSpec("x", (1, 3, 3)),), (TensorSpec("y", (2,)),))


def chain(generator: np.random.Generator, scale: float = 1.0) -> Network:
    sizes = [4, 12, 10, 3]
    weights = [generator.normal(size=(k, j)) * scale for j, k in itertools.pairwise(sizes)]
    weights[1][0] = 0.0
    return from_weights(weights, [generator.normal(size=k) * scale for k in sizes[1:]])


@PRECISIONS
@given(
    seed=st.integers(0, 10**6), scale=st.sampled_from([1.0, 1e-3, 1e4, 1e-12]), reach=st.sampled_from([1.0, 1e-9, 1e3])
)
@settings(max_examples=12)
def test_no_point_is_above_the_functions_nor_outside_the_bounds(
    precision: Precision, seed: int, scale: float, reach: float
) -> None:
    generator = np.random.default_rng(seed)
    for network in (chain(generator, scale), residual(generator, scale)):
        n, count = network.input_size, 5
        lower = generator.normal(size=(count, n))
        upper = lower + generator.random((count, n)) * reach * (generator.random((count, n)) < 0.8)
        outputs = generator.normal(size=(2 * count, network.output_size))
        inputs = generator.normal(size=(2 * count, n))
        owner = np.repeat(np.arange(count), 2)
        boxes = BoxBounds(network, precision).over(lower, upper)
        found = boxes.functions(outputs, inputs, owner)
        for k in range(count):
            points = lower[k] + generator.random((400, n)) * (upper[k] - lower[k])
            points[:200] = np.where(generator.random((200, n)) < 0.5, lower[k], upper[k])
            values, before = network.forward(points), network.preactivations(points)
            for row in (2 * k, 2 * k + 1):
                value = values @ outputs[row] + points @ inputs[row]
                room = 1e-13 * (1.0 + np.abs(values).max() + np.abs(points).max())  # the test's own rounding
                assert (value <= points @ found.slope[row] + found.constant[row] + room).all()
                assert value.max() <= found.bound[row] + room
            for relu in network.relus:
                low, high = boxes.bounds_of(relu)
                assert (before[relu.name] >= low[k]).all()
                assert (before[relu.name] <= high[k]).all()


@PRECISIONS
@pytest.mark.parametrize("make", [chain, residual])
def test_bounds_are_those_of_crown(precision: Precision, make: Callable[[np.random.Generator], Network]) -> None:
    network = make(np.random.default_rng(2))
    box = Box(-0.5 * np.ones(network.input_size), np.ones(network.input_size))
    known = crown_bounds(network, box)
    boxes = BoxBounds(network, precision).over(box.lower[None], box.upper[None])
    tolerance = 1e-3 if precision is SINGLE else 1e-10
    for relu in network.relus:
        low, high = boxes.bounds_of(relu)
        unstable = known.unstable(relu.name)
        assert np.allclose(low[0][unstable], known.lower[relu.name][unstable], atol=tolerance)
        assert np.allclose(high[0][unstable], known.upper[relu.name][unstable], atol=tolerance)
    found = boxes.functions(np.eye(network.output_size), None, np.zeros(network.output_size, dtype=np.int64))
    expected = upper_functions(network, box, known, np.eye(network.output_size))
    assert np.allclose(found.bound, expected.bound, atol=10.0 * tolerance)
    assert np.allclose(found.slope, expected.coefficients, atol=10.0 * tolerance)
    assert (found.rounding <= tolerance).all()


def test_known_bounds_are_kept_and_what_leaves_float32_is_infinite() -> None:
    network = chain(np.random.default_rng(4))
    box = Box(-np.ones(4), np.ones(4))
    bounds = crown_bounds(network, Box(-0.1 * np.ones(4), 0.1 * np.ones(4)))
    boxes = BoxBounds(network, SINGLE).over(box.lower[None], box.upper[None], bounds.pairs)
    for relu in network.relus:
        low, high = boxes.bounds_of(relu)
        assert (low >= bounds.lower[relu.name]).all()
        assert (high <= bounds.upper[relu.name]).all()
    huge = chain(np.random.default_rng(4), 1e30)
    row = np.ones((1, 3))
    single = BoxBounds(huge, SINGLE).over(box.lower[None], box.upper[None]).functions(row, None, np.zeros(1, int))
    double = BoxBounds(huge, DOUBLE).over(box.lower[None], box.upper[None]).functions(row, None, np.zeros(1, int))
    assert single.bound[0] == np.inf
    assert np.isfinite(double.bound[0])


def test_looseness_is_due_to_the_input_that_the_unstable_neuron_reads() -> None:
    network = from_weights([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 5.0], [0.0]])
    lower, upper = -np.ones((1, 2)), np.ones((1, 2))
    boxes = BoxBounds(network, SINGLE).over(lower, upper, axes=np.arange(2))
    blame = boxes.loosened_by(np.ones((1, 1)), None, np.zeros(1, dtype=np.int64))
    assert blame[0, 0] == pytest.approx(0.5)  # relu(x_0) on [-1, 1] is at most 1/2 below its chord
    assert blame[0, 1] == 0.0


@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1.0, 1e-150, 1e100]))
@settings(max_examples=60)
def test_clipping_loses_no_point_of_the_half_spaces(seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    lower = generator.normal(size=(6, 3))
    upper = lower + generator.random((6, 3)) * (generator.random((6, 3)) < 0.9)
    slope = generator.normal(size=(6, 2, 3)) * scale * (generator.random((6, 2, 3)) < 0.8)
    level = generator.normal(size=(6, 2)) * scale
    level[generator.random((6, 2)) < 0.2] = np.inf
    cuts = HalfSpaces(slope, level)
    low, high, empty = clip(lower, upper, cuts)
    assert (low >= lower).all()
    assert (high <= upper).all()
    assert (low <= high).all()
    objective, constant = generator.normal(size=(6, 3)), generator.normal(size=6)
    bound, multipliers = largest_within(lower, upper, objective, constant, cuts)
    assert (multipliers >= 0.0).all()
    for k in range(6):
        points = lower[k] + generator.random((2000, 3)) * (upper[k] - lower[k])
        within = points[(points @ slope[k].T + level[k] >= 0.0).all(axis=1)]
        if len(within):
            assert not empty[k]
            assert (within >= low[k] - 1e-15).all()
            assert (within <= high[k] + 1e-15).all()
            assert (within @ objective[k] + constant[k]).max() <= bound[k] + 1e-12


def test_one_half_space_gives_the_exact_maximum() -> None:
    """Over the unit square, x + y with x + 2 y <= 1 is 1 at (1, 0)."""
    lower, upper = np.zeros((1, 2)), np.ones((1, 2))
    cuts = HalfSpaces(np.array([[[-1.0, -2.0]]]), np.array([[1.0]]))
    bound, _ = largest_within(lower, upper, np.ones((1, 2)), np.zeros(1), cuts)
    assert bound[0] == pytest.approx(1.0, abs=1e-12)
    assert bound[0] >= 1.0
    low, high, _ = clip(lower, upper, cuts)
    assert low[0].tolist() == [0.0, 0.0]
    assert high[0] == pytest.approx([1.0, 0.5], abs=1e-12)


@PRECISIONS
@given(
    seed=st.integers(0, 1000),
    weight_scale=st.sampled_from([1e-200, 1e-20, 1.0, 1e20, 1e200]),
    input_scale=st.sampled_from([1e-200, 1.0, 1e100]),
)
def test_boxes_of_a_point_are_sound_at_any_scale(
    precision: Precision, seed: int, weight_scale: float, input_scale: float
) -> None:
    network = random_network(seed, (2, 4, 3, 2), weight_scale)
    points = np.random.default_rng(seed).normal(size=(3, 2)) * input_scale
    rows = np.tile(np.concatenate([np.eye(2), -np.eye(2)]), (3, 1))
    bound = BoxBounds(network, precision).over(points, points).functions(rows, None, np.repeat(np.arange(3), 4)).bound
    for k, sides in enumerate(bound.reshape(3, 2, 2)):
        for value, (above, below) in zip(
            exact_preactivations(network, points[k])[network.output], sides.T, strict=True
        ):
            assert above == np.inf or value <= above
            assert below == np.inf or -value <= below


def test_thousands_of_narrow_boxes_have_narrow_bounds_and_intervals_are_looser() -> None:
    network = random_network(0, (1, 128, 128, 128, 1))
    edges = np.linspace(-1.0, 1.0, 2001)[:, None]
    parent, rows, owner = BoxBounds(network, SINGLE), np.tile([[1.0], [-1.0]], (2000, 1)), np.repeat(np.arange(2000), 2)
    bound = parent.over(edges[:-1], edges[1:]).functions(rows, None, owner).bound.reshape(-1, 2)
    looser = parent.over(edges[:-1], edges[1:], intermediate=False).functions(rows, None, owner).bound.reshape(-1, 2)
    values = network.forward(edges)[:, 0]
    ends = np.maximum(values[:-1], values[1:]), np.maximum(-values[:-1], -values[1:])
    for found in (bound, looser):
        assert (found[:, 0] >= ends[0]).all()
        assert (found[:, 1] >= ends[1]).all()
    assert (bound.sum(axis=1) < 0.1).all()
    assert (looser >= bound - 1e-4).all()
    assert looser.sum() > bound.sum()
