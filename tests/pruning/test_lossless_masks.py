from __future__ import annotations

import numpy as np
import pytest
from bound_cases import random_network, unit_box
from hypothesis import given
from hypothesis import strategies as st
from pruned_cases import ALL, pooled_network

from netopt.bounds.crown import crown_bounds
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.pruning.prune import prune
from netopt.specification.box import Box


def _check(network: Network, box: Box, **keywords) -> float:
    pruned = prune(network, "lossless", domain=box, **keywords)
    generator = np.random.default_rng(0)
    points = np.concatenate([box.sample(generator, 200), box.maximizer(generator.normal(size=(200, box.dimension)))])
    dense = network.forward(points)
    size = max(np.abs(dense).max(), 1.0)
    np.testing.assert_allclose(pruned.network.forward(points), dense, rtol=1e-9, atol=1e-9 * size)
    return pruned.mask.removed


@given(st.sampled_from(sorted(ALL)), st.sampled_from([0.0, 1e-3, 0.05, 0.3, 1.0, 5.0]), st.integers(0, 2**16))
def test_outputs_are_equal_on_the_domain(name: str, radius: float, seed: int) -> None:
    network = ALL[name]
    generator = np.random.default_rng(seed)
    center = generator.normal(size=network.input_size)
    fixed = generator.random(network.input_size) < 0.5
    width = np.where(fixed, 0.0, radius)
    _check(network, Box(center - width, center + width))


@pytest.mark.parametrize("seed", range(6))
def test_stacked_convolutions_with_inactive_windows(seed: int) -> None:
    network = pooled_network(seed)
    image = np.random.default_rng(seed).normal(size=(2, 6, 6)) * 2.0
    width = np.zeros((2, 6, 6))
    width[:, :2, :] = 0.4
    box = Box((image - width).ravel(), (image + width).ravel())
    assert _check(network, box, bounds=crown_bounds(network, box)) >= 0.0


def test_tighter_bounds_remove_more() -> None:
    network = random_network(4, (5, 30, 30, 2))
    box = unit_box(network, 0.3)
    loose = _check(network, box)
    tight = _check(network, box, bounds=crown_bounds(network, box))
    assert 0.0 < loose <= tight


def test_at_a_point_all_weights_go() -> None:
    network = random_network(5)
    point = np.full(4, 0.3)
    assert _check(network, Box(point, point)) == 1.0


def test_each_reason_removes_its_weights() -> None:
    first = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [0.0, 2.0]])
    second = np.array([[1.0, 1.0, 0.0, 1.0]])
    network = from_weights([first, second], [[0.0, -9.0, 0.0, 0.5], [0.0]])
    box = Box(np.array([-1.0, 1.0]), np.array([1.0, 1.0]))
    kept = prune(network, "lossless", domain=box).mask.kept
    # the second input is fixed, the second neuron inactive, the third unread, the fourth constant
    assert kept["layer1.affine"].tolist() == [[True, False], [False, False], [False, False], [False, False]]
    assert kept["output.affine"].tolist() == [[True, False, False, False]]
    _check(network, box)
