"""Bounds of rows over outputs and inputs, over one domain and over many boxes."""

import time
from dataclasses import replace

import numpy as np
import pytest
from bound_cases import NETWORKS, exact_preactivations, random_network, unit_box
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from netopt.bounds.batch import bound_rows_over_boxes
from netopt.bounds.crown import crown_bounds
from netopt.bounds.interval import interval_bounds
from netopt.bounds.rows import bound_rows, upper_functions
from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball


def random_rows(network, seed=0, rows=4):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(rows, network.output_size)), generator.normal(size=(rows, network.input_size))


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_contain_samples(name):
    network = NETWORKS[name]
    outputs, inputs = random_rows(network)
    box = unit_box(network)
    points = box.sample(np.random.default_rng(1), 20_000)
    offset = np.arange(4.0)
    values = network.forward(points) @ outputs.T + points @ inputs.T + offset
    for bounds in (interval_bounds(network, box), crown_bounds(network, box)):
        bound = bound_rows(network, box, bounds, outputs, sparse.csr_array(inputs), offset)
        assert (values <= bound).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_upper_functions_lie_above_the_rows(name):
    network = NETWORKS[name]
    outputs, inputs = random_rows(network)
    box = unit_box(network)
    functions = upper_functions(network, box, crown_bounds(network, box), outputs, inputs)
    points = box.sample(np.random.default_rng(1), 5000)
    above = points @ functions.coefficients.T + functions.constant
    assert (network.forward(points) @ outputs.T + points @ inputs.T <= above + 1e-12).all()
    np.testing.assert_allclose(functions.bound, box.maximize_linear(functions.coefficients) + functions.constant)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_at_a_point_is_exact_up_to_rounding(name):
    network = NETWORKS[name]
    outputs, inputs = random_rows(network)
    point = np.random.default_rng(5).normal(size=network.input_size)
    box = Box(point, point)
    bound = bound_rows(network, box, crown_bounds(network, box), outputs, inputs)
    exact = np.array([float(v) for v in exact_preactivations(network, point)[network.output]])
    np.testing.assert_allclose(bound, outputs @ exact + inputs @ point, rtol=1e-9, atol=1e-9)


def test_rows_stay_coupled():
    network = random_network(0, (3, 10, 2))
    twin = from_weights(
        [
            network.affines[0].maps[0].to_csr().toarray(),
            np.repeat(network.affines[1].maps[0].to_csr().toarray()[:1], 2, 0),
        ],
        [network.affines[0].bias, np.zeros(2)],
    )
    box = unit_box(twin)
    bounds = crown_bounds(twin, box)
    assert bound_rows(twin, box, bounds, np.array([[1.0, -1.0]]))[0] < 1e-12
    assert (bounds.output_upper[0] - bounds.output_lower[1]) > 1.0
    # y0 <= W1 relu(W0 x + b) and the row subtracts what the upper line says of it: the input part is coupled too.
    functions = upper_functions(twin, box, bounds, np.array([[1.0, 0.0]]))
    row = upper_functions(twin, box, bounds, np.array([[1.0, 0.0]]), -functions.coefficients)
    np.testing.assert_allclose(row.bound, functions.constant, atol=1e-12)


def test_output_bounds_count_where_they_are_tighter():
    network = random_network(0)
    box = unit_box(network)
    crown = crown_bounds(network, box)
    outputs, inputs = np.array([[1.0, 0.0, 0.0], [0.0, -2.0, 0.0]]), np.zeros((2, 4))
    inputs[1, 3] = 1.0
    tight = replace(crown, output_upper=crown.output_upper - 0.25, output_lower=crown.output_lower + 0.25)
    bound = bound_rows(network, box, tight, outputs, inputs)
    known = [tight.output_upper[0], -2.0 * tight.output_lower[1] + box.high[3]]
    np.testing.assert_array_less(bound, np.array(known) + 1e-12)
    assert (bound <= bound_rows(network, box, crown, outputs, inputs)).all()


def test_rows_over_an_l1_ball_use_the_ball():
    network = random_network(2, (20, 10, 3))
    ball = L1Ball(np.zeros(20), 1.0, np.full(20, -1.0), np.ones(20))
    outputs = np.eye(3)
    bounds = crown_bounds(network, ball)
    over_ball = bound_rows(network, ball, bounds, outputs)
    assert (over_ball < bound_rows(network, Box(ball.lower, ball.upper), bounds, outputs)).all()
    assert (network.forward(ball.sample(np.random.default_rng(0), 5000)) <= over_ball).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_many_boxes_agree_with_one_at_a_time(name):
    network = NETWORKS[name]
    generator = np.random.default_rng(3)
    center = generator.normal(size=(6, network.input_size))
    radius = generator.random((6, network.input_size)) * np.array([0.0, 1e-3, 0.1, 0.3, 1.0, 3.0])[:, None]
    outputs, inputs = random_rows(network, rows=3)
    offset = generator.normal(size=3)
    many = bound_rows_over_boxes(network, center - radius, center + radius, outputs, inputs, offset)
    for k in range(6):
        box = Box(center[k] - radius[k], center[k] + radius[k])
        one = upper_functions(network, box, crown_bounds(network, box), outputs, inputs)
        np.testing.assert_allclose(many[k], one.bound + offset, rtol=1e-9, atol=1e-9)
        points = box.sample(generator, 500)
        assert (network.forward(points) @ outputs.T + points @ inputs.T + offset <= many[k]).all()


def test_each_box_may_have_rows_of_its_own():
    network = random_network(3, (2, 6, 2))
    generator = np.random.default_rng(0)
    low = generator.normal(size=(5, 2))
    outputs = generator.normal(size=(5, 3, 2))
    own = bound_rows_over_boxes(network, low, low + 0.5, outputs)
    for k in range(5):
        shared = bound_rows_over_boxes(network, low, low + 0.5, outputs[k])
        np.testing.assert_allclose(own[k], shared[k], rtol=1e-12, atol=1e-12)
    looser = bound_rows_over_boxes(network, low, low + 0.5, outputs, intermediate="interval")
    assert (looser >= own - 1e-12).all()


@given(st.integers(0, 1000), st.sampled_from([1e-200, 1e-20, 1.0, 1e20, 1e200]), st.sampled_from([1e-200, 1.0, 1e100]))
def test_boxes_of_a_point_are_sound_at_any_scale(seed, weight_scale, input_scale):
    network = random_network(seed, (2, 4, 3, 2), weight_scale)
    points = np.random.default_rng(seed).normal(size=(3, 2)) * input_scale
    bound = bound_rows_over_boxes(network, points, points, np.concatenate([np.eye(2), -np.eye(2)]))
    for k in range(3):
        exact = exact_preactivations(network, points[k])[network.output]
        for value, sides in zip(exact, (bound[k, [0, 2]], bound[k, [1, 3]]), strict=True):
            assert sides[0] == np.inf or value <= sides[0]
            assert sides[1] == np.inf or -value <= sides[1]


def test_thousands_of_boxes_take_seconds():
    network = random_network(0, (1, 128, 128, 128, 1))
    edges = np.linspace(-1.0, 1.0, 5001)[:, None]
    began = time.perf_counter()
    bound = bound_rows_over_boxes(network, edges[:-1], edges[1:], np.array([[1.0], [-1.0]]))
    assert time.perf_counter() - began < 10.0
    values = network.forward(edges)[:, 0]
    ends = np.maximum(values[:-1], values[1:]), np.maximum(-values[:-1], -values[1:])
    assert (bound[:, 0] >= ends[0]).all()
    assert (bound[:, 1] >= ends[1]).all()
    assert (bound.sum(axis=1) < 0.1).all()  # narrow boxes, narrow bounds


def test_boxes_after_the_deadline_are_unbounded():
    network = random_network(0, (2, 3, 1))
    bound = bound_rows_over_boxes(network, np.zeros((3, 2)), np.ones((3, 2)), np.ones((2, 1)), deadline=0.0)
    assert bound.shape == (3, 2)
    assert np.isposinf(bound).all()


def test_wrong_rows_are_refused():
    network, other = random_network(0), random_network(1)
    box = unit_box(network)
    bounds = crown_bounds(network, box)
    with pytest.raises(InputError, match=r"rows over 3 outputs need a matrix \(rows, 3\), not \(1, 2\)"):
        bound_rows(network, box, bounds, np.ones((1, 2)))
    with pytest.raises(InputError, match=r"must have shape \(1, 4\), not \(2, 4\)"):
        bound_rows(network, box, bounds, np.ones((1, 3)), np.ones((2, 4)))
    with pytest.raises(InputError, match="compute them for this network"):
        bound_rows(other, box, bounds, np.ones((1, 3)))
    with pytest.raises(InputError, match="boxes of a network with 4 inputs"):
        bound_rows_over_boxes(network, np.zeros((2, 3)), np.ones((2, 3)), np.ones((1, 3)))
    with pytest.raises(InputError, match="the output part of the rows"):
        bound_rows_over_boxes(network, np.zeros((2, 4)), np.ones((2, 4)), np.ones((3, 1, 3)))
    with pytest.raises(InputError, match="unknown level 'lp' of intermediate bounds"):
        bound_rows_over_boxes(network, np.zeros((2, 4)), np.ones((2, 4)), np.ones((1, 3)), intermediate="lp")
