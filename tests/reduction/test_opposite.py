"""Opposite neurons share a ReLU: the function stays the same, also where sums of weights are not exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from exact_pieces import exact_extremes, pieces_of
from hypothesis import given, settings
from hypothesis import strategies as st
from reduction_cases import KINDS, random_network

from netopt.bounds.compute import compute_bounds
from netopt.network.build import from_weights
from netopt.network.dense import Dense
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.reduction.opposite import without_opposites
from netopt.specification.box import Box


def with_pairs(generator: np.random.Generator, exact: bool) -> Network:
    """Layers in which most neurons have an opposite; the readers' weights are quarters, or any numbers."""
    weights, biases, size = [], [], 3
    for _ in range(3):
        half = int(generator.integers(2, 6))
        weight, bias = generator.normal(size=(half, size)), generator.normal(size=half)
        alone = generator.normal(size=(1, size))
        if exact:
            weight, alone = np.round(4.0 * weight) / 4.0, np.round(4.0 * alone) / 4.0
        order = generator.permutation(2 * half + 1)
        weights.append(np.concatenate([weight, -weight, alone])[order])
        biases.append(np.concatenate([bias, -bias, [0.5]])[order])
        size = 2 * half + 1
    last = np.round(4.0 * generator.normal(size=(2, size))) / 4.0
    return from_weights([*weights, last], [*biases, np.zeros(2)])


@given(seed=st.integers(0, 10**6), exact=st.booleans())
@settings(max_examples=30)
def test_the_function_is_the_same_and_bounds_are_carried_over(seed: int, exact: bool) -> None:
    generator = np.random.default_rng(seed)
    network = with_pairs(generator, exact)
    smaller = without_opposites(network)
    points = generator.normal(size=(500, 3))
    values = network.forward(points)
    size = 1.0 + np.abs(values).max()
    assert np.allclose(smaller.network.forward(points), values, rtol=0.0, atol=1e-12 * size)
    if exact:
        assert smaller.network.relu_count <= network.relu_count // 2 + 3
    box = Box(points.min(axis=0), points.max(axis=0))
    bounds = smaller.bounds(compute_bounds(network, box))
    bounds.require(smaller.network)
    before = smaller.network.preactivations(points)
    for relu in smaller.network.relus:
        room = 1e-12 * size * (1.0 + np.abs(before[relu.name]).max())
        assert (before[relu.name] >= bounds.lower[relu.name] - room).all()
        assert (before[relu.name] <= bounds.upper[relu.name] + room).all()


def test_values_that_are_carried_need_no_relu_and_magnitudes_need_one() -> None:
    carry = from_weights([[[1.0, 2.0], [-1.0, -2.0]], [[3.0, -3.0]]], [[0.25, -0.25], [1.0]])
    assert without_opposites(carry).network.relu_count == 0
    magnitude = from_weights([[[1.0, 2.0], [-1.0, -2.0]], [[3.0, 3.0]]], [[0.25, -0.25], [1.0]])
    smaller = without_opposites(magnitude)
    assert smaller.kept["layer1.relu"].tolist() == [0]
    assert smaller.opposite["layer1.relu"].tolist() == [1]
    points = np.random.default_rng(0).normal(size=(50, 2))
    assert np.array_equal(smaller.network.forward(points), magnitude.forward(points))


def test_sums_that_round_are_not_formed() -> None:
    network = from_weights([[[1.0], [-1.0]], [[1.0, 1e-30]]], [[0.0, 0.0], [0.0]])
    assert without_opposites(network).network is network


def test_maps_of_one_reader_whose_sum_rounds_are_not_added() -> None:
    # (1 + 2^-53) relu(x) + (1 + 2^-53) relu(-x), the two terms of each weight in maps of their own
    layer = Affine("a", (INPUT,), (Dense(np.array([[1.0], [-1.0]])),), np.zeros(2))
    maps = Dense(np.array([[1.0, 1.0]])), Dense(np.array([[2.0**-53, 2.0**-53]]))
    last = Affine("y", ("r", "r"), maps, np.zeros(1))
    whole = from_weights([[[1.0]]], [[0.0]])
    network = replace(whole, nodes=(layer, Relu("r", "a", 2), last), output="y", source_sha256=None)

    smaller = without_opposites(network).network

    exact = [pieces_of(one, np.ones(1), np.array([2.0])) for one in (network, smaller)]
    assert exact_extremes(exact[0], network.output) == exact_extremes(exact[1], smaller.output)


@pytest.mark.parametrize("kind", KINDS)
def test_other_networks_are_left_alone(kind: str) -> None:
    network = random_network(kind, 3)
    points = np.random.default_rng(4).normal(size=(200, network.input_size))
    smaller = without_opposites(network).network
    assert np.allclose(smaller.forward(points), network.forward(points), rtol=0.0, atol=1e-9)
