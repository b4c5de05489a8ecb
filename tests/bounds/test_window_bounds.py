"""Rows carried as windows of images are the rows carried whole; time that does not suffice makes bounds looser only."""

from __future__ import annotations

import time

import numpy as np
import pytest
from bound_cases import assert_inside, assert_no_looser, convolutional_network
from image_networks import random_kernel, residual_images, small_box

from netopt.bounds.backward import Backward
from netopt.bounds.crown import crown_bounds
from netopt.bounds.inputs import as_inputs
from netopt.bounds.interval import interval_bounds
from netopt.bounds.layer_shares import LayerShares
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.products import Products
from netopt.bounds.propagation import propagate
from netopt.bounds.relaxation import relax
from netopt.bounds.window_plan import Span, WindowPlan
from netopt.bounds.windows import Windows
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Relu
from netopt.specification.box import Box


@pytest.mark.parametrize("seed", range(3))
def test_windows_are_whole_rows_without_the_zeros(seed: int) -> None:
    network = residual_images(seed)
    state = propagate(network, as_inputs(network, small_box(network)), {})
    backward = Backward(state, {r.name: relax(state.lower[r.input], state.upper[r.input]) for r in network.relus})
    carried = set()
    for relu in network.relus[1:]:
        node = network[relu.input]
        assert isinstance(node, Affine)
        plan = WindowPlan.of(network, node)
        assert plan is not None
        neurons = np.arange(node.size)
        windows = backward.run(Windows(backward, plan).start(neurons))
        for sign, part in ((-1.0, slice(None, node.size)), (1.0, slice(node.size, None))):
            whole = backward.run(backward.start(node, neurons, None, sign))
            np.testing.assert_allclose(windows.bound[part], whole.bound, rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(windows.coefficients[part], whole.coefficients, rtol=1e-12, atol=1e-13)
        carried |= {step.name for step in plan.steps}
    assert {"r1", "a2", "r2", "a3", "r3", "a4", "r4", "a5"} <= carried


def test_windows_are_for_images_only() -> None:
    network = convolutional_network()
    grouped, dense = network["conv2"], network["dense"]
    assert isinstance(grouped, Affine)
    assert isinstance(dense, Affine)
    assert WindowPlan.of(network, grouped) is None
    assert WindowPlan.of(network, dense) is None


def test_rows_become_whole_before_an_affine_that_reads_an_affine() -> None:
    """What sticks out of the image in between would count in the image before it."""
    generator = np.random.default_rng(3)
    first, second, third = (
        Convolution(random_kernel(generator, 1, 1, (3, 3)), (1, 9, 9), pads=(1, 1, 1, 1)) for _ in range(3)
    )
    nodes = (
        Affine("a1", (INPUT,), (first,), np.ones(81)),
        Affine("a2", ("a1",), (second,), generator.normal(size=81)),
        Relu("r2", "a2", 81),
        Affine("a3", ("r2",), (third,), generator.normal(size=81)),
        Relu("r3", "a3", 81),
        Affine("y", ("r3",), (Dense(generator.normal(size=(2, 81))),), np.zeros(2)),
    )
    network = Network(nodes, "y", (TensorSpec("X", (1, 1, 9, 9)),), (TensorSpec("Y", (1, 2)),))
    plan = WindowPlan.of(network, nodes[3])
    assert plan is not None
    assert [step.name for step in plan.steps] == ["a3", "r2"]
    bounds = crown_bounds(network, small_box(network))
    _assert_contains(network, bounds, small_box(network))
    assert bounds.level == "crown"


def test_spans_of_strided_layers() -> None:
    """Two strided convolutions of three taps, padded by one: seven pixels from 4 y - 3 on."""
    assert Span(1, 0, 1).before(3, 2, 1, 1).before(3, 2, 1, 1) == Span(4, -3, 7)
    assert Span(2, -1, 3).union(Span(2, 0, 1)) == Span(2, -1, 3)


def _assert_contains(network: Network, bounds: PreactivationBounds, domain: Box) -> None:
    points = domain.sample(np.random.default_rng(0), 3000)
    points = np.concatenate([points, np.where(points > domain.center, domain.upper, domain.lower)])
    assert_inside(network, bounds, points)


@pytest.mark.parametrize("seconds", [-1.0, 0.002, 0.02, 0.1, 30.0])
def test_bounds_by_any_deadline_hold(seconds: float) -> None:
    network = residual_images(0)
    domain = small_box(network)
    interval = interval_bounds(network, domain)
    bounds = crown_bounds(network, domain, deadline=time.monotonic() + seconds, start=interval)
    _assert_contains(network, bounds, domain)
    assert_no_looser(bounds, interval)
    if seconds < 0.0:
        assert bounds.level == "interval"
        assert bounds.unstable_count == interval.unstable_count
    if seconds == 30.0:
        full = crown_bounds(network, domain)
        assert bounds.level == full.level == "crown"
        assert bounds.unstable_count < interval.unstable_count
        for relu in network.relus:
            np.testing.assert_allclose(bounds.upper[relu.name], full.upper[relu.name], rtol=1e-9, atol=1e-12)


def test_layers_share_the_time() -> None:
    network = residual_images(0)
    now = time.monotonic()
    shares = LayerShares(network, now + 1000.0, Products(network))
    ends = [shares.end(node, 0.5 * node.size) - now for node in network.affines[1:]]
    assert all(500.0 - 1e-9 <= end <= 1001.0 for end in ends)
    assert ends[-1] == pytest.approx(1000.0, abs=1.0)
