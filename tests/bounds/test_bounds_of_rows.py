"""Bounds of rows over outputs and inputs, over one domain."""

from dataclasses import replace

import numpy as np
import pytest
from bound_cases import NETWORKS, exact_preactivations, random_network, unit_box
from scipy import sparse

from netopt.bounds.backward import Backward
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


def test_rows_without_time_are_bounded_by_the_output(monkeypatch):
    network = NETWORKS["residual"]
    outputs, inputs = random_rows(network, rows=6)
    box = unit_box(network, 0.2)
    bounds = crown_bounds(network, box)
    points = box.sample(np.random.default_rng(1), 5000)
    values = network.forward(points) @ outputs.T + points @ inputs.T
    full = bound_rows(network, box, bounds, outputs, inputs)
    late = bound_rows(network, box, bounds, outputs, inputs, deadline=-np.inf)
    assert (values <= late).all()
    assert (full < late).any()
    monkeypatch.setattr(Backward, "block", 2)
    ends = iter([False, True])
    monkeypatch.setattr("netopt.bounds.rows.time.monotonic", lambda: 1.0 if next(ends) else 0.0)
    some = bound_rows(network, box, bounds, outputs, inputs, deadline=0.5)
    np.testing.assert_allclose(some, np.r_[full[:2], late[2:]], rtol=1e-12)


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
