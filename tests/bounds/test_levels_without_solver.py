"""Interval and CROWN bounds contain what the network computes, exactly and in float64."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from bound_cases import NETWORKS, exact_preactivations, random_network, unit_box
from hypothesis import given
from hypothesis import strategies as st

from netopt.bounds import inputs
from netopt.bounds.compute import compute_bounds
from netopt.bounds.crown import crown_bounds
from netopt.bounds.interval import interval_bounds
from netopt.bounds.rows import bound_rows
from netopt.errors import InputError, InvalidOptionError
from netopt.network.build import from_weights
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope

LEVELS = {"interval": interval_bounds, "crown": crown_bounds}


def assert_contains(network, bounds, *points):
    """Check one or more bounds (a sequence) at batches of points, each passed through the network once."""
    every = bounds if isinstance(bounds, list) else [bounds]
    for batch in points:
        preactivations, outputs = network.preactivations(batch), network.forward(batch)
        for one in every:
            for name, values in preactivations.items():
                assert (values >= one.lower[name]).all()
                assert (values <= one.upper[name]).all()
            assert (outputs >= one.output_lower).all()
            assert (outputs <= one.output_upper).all()


def assert_contains_exactly(network, bounds, point):
    values = exact_preactivations(network, point)
    for relu in network.relus:
        pairs = zip(bounds.lower[relu.name].tolist(), values[relu.input], bounds.upper[relu.name].tolist(), strict=True)
        assert all(_at_most(low, value) and _at_most(-high, -value) for low, value, high in pairs)
    pairs = zip(bounds.output_lower.tolist(), values[network.output], bounds.output_upper.tolist(), strict=True)
    assert all(_at_most(low, value) and _at_most(-high, -value) for low, value, high in pairs)


def _at_most(low: float, value: Fraction) -> bool:
    return low == -np.inf or (low < np.inf and Fraction(low) <= value)


@pytest.mark.parametrize("name", NETWORKS)
def test_bounds_contain_samples(name):
    network = NETWORKS[name]
    generator = np.random.default_rng(0)
    for radius in (1.0, 1e-3):
        box = unit_box(network, radius)
        bounds = [bound(network, box) for bound in LEVELS.values()]
        corners = np.where(generator.random((20_000, network.input_size)) < 0.5, box.low, box.high)
        assert_contains(network, bounds, corners, *np.split(box.sample(generator, 80_000), 4))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NETWORKS)
def test_bounds_at_a_point_contain_the_exact_and_the_computed_value(name, level):
    network = NETWORKS[name]
    generator = np.random.default_rng(1)
    for _ in range(10):
        point = generator.normal(size=network.input_size)
        bounds = LEVELS[level](network, Box(point, point))
        batch = np.repeat(point[None], 33, axis=0)  # a batch sums in another order than a single point
        assert_contains(network, bounds, batch)
        assert_contains(network, bounds, point[None])
        assert_contains_exactly(network, bounds, point)
        width = max(float((bounds.upper[k] - bounds.lower[k]).max()) for k in bounds.lower)
        assert width < 1e-9


@pytest.mark.parametrize("name", NETWORKS)
def test_crown_is_no_looser_than_interval(name):
    network = NETWORKS[name]
    box = unit_box(network)
    interval, crown = interval_bounds(network, box), crown_bounds(network, box)
    for relu in network.relus:
        assert (crown.lower[relu.name] >= interval.lower[relu.name]).all()
        assert (crown.upper[relu.name] <= interval.upper[relu.name]).all()
    assert (crown.output_lower >= interval.output_lower).all()
    assert (crown.output_upper <= interval.output_upper).all()
    narrower = (crown.output_upper - crown.output_lower) < (interval.output_upper - interval.output_lower)
    assert narrower.any()


def test_crown_of_one_hidden_neuron_is_the_chord_and_the_better_line():
    network = from_weights([[[1.0]], [[1.0]], [[1.0]]], [[0.0], [-0.25], [0.0]])
    bounds = crown_bounds(network, Box(np.array([-1.0]), np.array([3.0])))
    # y1 <= 3/4 (x + 1) and y1 >= x, so y1 - 1/4 lies in [-1.25, 2.75]; interval knows y1 >= 0 as well.
    np.testing.assert_allclose(bounds.lower["layer2.relu"], [-0.25], atol=1e-12)
    np.testing.assert_allclose(bounds.upper["layer2.relu"], [2.75], atol=1e-12)


SCALES = st.sampled_from([1e-320, 1e-300, 1e-150, 1e-30, 1e-8, 1.0, 1e8, 1e30, 1e100, 1e150, 1e300])


@given(st.integers(0, 10_000), SCALES, SCALES, SCALES, st.sampled_from([0.0, 1e-12, 1.0]))
def test_bounds_are_sound_at_any_scale(seed, weight_scale, input_scale, bias_scale, spread):
    generator = np.random.default_rng(seed)
    sizes = (2, 4, 3, 2)
    weights = [generator.normal(size=(o, i)) * weight_scale for i, o in itertools.pairwise(sizes)]
    weights[0][generator.random(weights[0].shape) < 0.3] *= 1e-12
    biases = [generator.normal(size=o) * bias_scale for o in sizes[1:]]
    network = from_weights(weights, biases)
    center = generator.normal(size=2) * input_scale
    radius = spread * input_scale
    box = Box(np.clip(center - radius, -1e308, 1e308), np.clip(center + radius, -1e308, 1e308))
    points = np.clip(np.stack([box.low, box.high, center]), box.low, box.high)
    for bound in LEVELS.values():
        bounds = bound(network, box)
        for point in points:
            assert_contains_exactly(network, bounds, point)


def test_first_layer_uses_the_l1_ball_itself():
    generator = np.random.default_rng(0)
    network = random_network(0, (784, 64, 64, 10))
    center = generator.random(784)
    ball = L1Ball(center, 5.0, np.zeros(784), np.ones(784))
    box = Box(ball.lower, ball.upper)
    for level, share in (("interval", 0.8), ("crown", 0.65)):
        over_ball, over_box = LEVELS[level](network, ball), LEVELS[level](network, box)
        assert over_box.unstable_count == 128
        assert over_ball.unstable_count < share * over_box.unstable_count
        assert_contains(network, over_ball, ball.sample(generator, 2000))
    exact = ball.maximize_linear(network.affines[0].maps[0].to_csr().toarray()) + network.affines[0].bias
    np.testing.assert_allclose(over_ball.upper["layer1.relu"], exact, atol=1e-9)


def test_polytope_bounds_contain_samples_and_beat_the_box():
    network = random_network(1, (3, 8, 8, 2))
    domain = Polytope(np.ones((1, 3)), [-np.inf], [-1.5], np.full(3, -1.0), np.ones(3))
    points = domain.sample(np.random.default_rng(0), 2000)
    for bound in LEVELS.values():
        bounds, over_box = bound(network, domain), bound(network, Box(domain.low, domain.high))
        assert_contains(network, bounds, points)
        assert (bounds.output_upper < over_box.output_upper).all()


def test_deadline_leaves_interval_bounds_and_says_so():
    network = NETWORKS["deep"]
    box = unit_box(network)
    late = crown_bounds(network, box, deadline=0.0)
    assert late.level == "interval"
    np.testing.assert_array_equal(late.upper["layer3.relu"], interval_bounds(network, box).upper["layer3.relu"])
    assert compute_bounds(network, box).level == "crown"


def test_wrong_input_is_refused():
    network = NETWORKS["perceptron"]
    with pytest.raises(InputError, match="3 inputs and the network 4"):
        interval_bounds(network, Box(np.zeros(3), np.ones(3)))
    with pytest.raises(InputError, match=r"input 1 has the range \[1, 0\]; it is empty"):
        crown_bounds(network, Box(np.array([0.0, 1.0, 0.0, 0.0]), np.array([1.0, 0.0, 1.0, 1.0])))
    with pytest.raises(InvalidOptionError, match="unknown bound level 'ibp'"):
        compute_bounds(network, unit_box(network), "ibp")
    with pytest.raises(InvalidOptionError, match="needs a solver"):
        compute_bounds(network, unit_box(network), "lp")


@pytest.mark.parametrize("name", NETWORKS)
def test_blocks_of_rows_do_not_change_bounds(name, monkeypatch):
    network = NETWORKS[name]
    domain = L1Ball(np.zeros(network.input_size), 2.0, *(np.full(network.input_size, side) for side in (-1.0, 1.0)))
    whole = crown_bounds(network, domain)
    rows = np.vstack([np.eye(network.output_size), -np.eye(network.output_size)])
    bound = bound_rows(network, domain, whole, rows)
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 1)
    assert inputs.block_rows(10) == 1
    pieces = crown_bounds(network, domain)
    for relu in network.relus:
        np.testing.assert_allclose(pieces.lower[relu.name], whole.lower[relu.name], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(pieces.upper[relu.name], whole.upper[relu.name], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(bound_rows(network, domain, whole, rows), bound, rtol=1e-9, atol=1e-12)
