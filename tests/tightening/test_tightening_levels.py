"""LP and MILP bounds against exact ranges, samples, limits and each other."""

import threading
import time

import numpy as np
import pytest
from bound_cases import NETWORKS, assert_no_looser, exact_preactivations, exact_range, random_network, unit_box
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from formulations.triangle import Triangle
from netopt.bounds.compute import compute_bounds
from netopt.errors import InputError, InvalidOptionError
from netopt.network.build import from_weights
from netopt.network.upstream import upstream
from netopt.solvers.child import ChildSolver
from netopt.solvers.highs import Highs
from netopt.specification.box import Box
from netopt.specification.integer import IntegerPoints
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope
from netopt.tightening.levels import tighten
from netopt.tightening.subproblem import write_subproblem

CHILD = ChildSolver(Highs())  # one process serves every test here
LEVELS = ("interval", "crown", "alpha-crown", "lp", "milp")


def pairs(network, bounds):
    """Return [(lower, upper)] of every Relu and of the output."""
    hidden = [(bounds.lower[relu.name], bounds.upper[relu.name]) for relu in network.relus]
    return [*hidden, (bounds.output_lower, bounds.output_upper)]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_level_contains_samples_and_is_no_looser_than_the_last(name):
    network = NETWORKS[name]
    box = unit_box(network, 0.1)
    points = [*np.split(box.sample(np.random.default_rng(0), 100_000), 5), box.low[None], box.high[None]]
    values = [(network.preactivations(batch), network.forward(batch)) for batch in points]
    last = None
    for level in LEVELS:
        bounds = tighten(network, box, level, solver=CHILD)
        assert bounds.level == level
        for hidden, outputs in values:
            for relu in network.relus:
                assert (hidden[relu.name] >= bounds.lower[relu.name]).all()
                assert (hidden[relu.name] <= bounds.upper[relu.name]).all()
            assert (outputs >= bounds.output_lower).all()
            assert (outputs <= bounds.output_upper).all()
        if last is not None:
            for (low, high), (low_before, high_before) in zip(
                pairs(network, bounds), pairs(network, last), strict=True
            ):
                assert (low >= low_before).all()
                assert (high <= high_before).all()
        last = bounds


@pytest.mark.parametrize("name", NETWORKS)
def test_bounds_at_a_point_contain_the_exact_and_the_computed_value(name):
    network = NETWORKS[name]
    point = np.random.default_rng(7).normal(size=network.input_size)
    exact = exact_preactivations(network, point)
    for level in ("lp", "milp"):
        bounds = tighten(network, Box(point, point), level, solver=CHILD)
        for relu, computed in network.preactivations(point[None]).items():
            values = np.array([float(v) for v in exact[network[relu].input]])
            for value in (computed[0], values):
                assert (bounds.lower[relu] <= value).all()
                assert (value <= bounds.upper[relu]).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_milp_bounds_are_exact_and_lp_bounds_contain_them(seed):
    network = random_network(seed, (2, 4, 3, 2))
    box = unit_box(network)
    lp, exact = tighten(network, box, "lp"), tighten(network, box, "milp", solver=CHILD)
    for relu in network.relus:
        low, high = exact_range(network, box, relu.input)
        assert (lp.lower[relu.name] <= low + 1e-9).all()
        assert (lp.upper[relu.name] >= high - 1e-9).all()
        undecided = exact.unstable(relu.name)
        np.testing.assert_array_equal(undecided, (low < 0.0) & (high > 0.0))
        np.testing.assert_allclose(exact.lower[relu.name][undecided], low[undecided], atol=1e-3)
        np.testing.assert_allclose(exact.upper[relu.name][undecided], high[undecided], atol=1e-3)
    low, high = exact_range(network, box, network.output)
    assert (exact.output_lower <= low).all()
    assert (exact.output_upper >= high).all()
    np.testing.assert_allclose(exact.output_lower, low, atol=1e-3)
    np.testing.assert_allclose(exact.output_upper, high, atol=1e-3)
    assert (lp.output_upper - lp.output_lower > exact.output_upper - exact.output_lower + 1e-3).any()


def test_lp_bounds_are_those_of_another_lp_solver():
    network = random_network(5, (3, 8, 8, 8, 2))
    box = unit_box(network)
    bounds = tighten(network, box, "lp")
    zero = np.zeros(network.output_size)
    problem = write_subproblem(network, box, bounds, Triangle(), zero, zero)
    model = problem.model
    rows = LinearConstraint(model.matrix, model.row_lower, model.row_upper)
    limits = Bounds(model.column_lower, model.column_upper)
    for neuron in range(network.output_size):
        columns, coefficients, constant = problem.objective(neuron)
        for side, bound in ((1.0, bounds.output_lower[neuron]), (-1.0, -bounds.output_upper[neuron])):
            objective = np.zeros(model.column_count)
            objective[columns] = side * coefficients
            other = milp(objective, bounds=limits, constraints=rows).fun + side * constant
            assert bound <= other + 1e-9
            assert bound >= other - 1e-6


def test_every_level_gains_over_the_one_before():
    network = random_network(11, (3, 8, 8, 8, 1))
    box = unit_box(network, 0.5)
    widths = [
        float(b.output_upper[0] - b.output_lower[0]) for b in (tighten(network, box, k, solver=CHILD) for k in LEVELS)
    ]
    assert sorted(set(widths), reverse=True) == widths


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([1e-100, 1e-12, 1e-3, 1.0, 1e4]), st.sampled_from([1e-9, 1.0, 1e3]))
def test_lp_bounds_are_sound_at_any_scale(seed, weight_scale, input_scale):
    network = random_network(seed, (2, 4, 4, 2), weight_scale)
    generator = np.random.default_rng(seed)
    center = generator.normal(size=2) * input_scale
    box = Box(center - input_scale, center + input_scale)
    bounds = tighten(network, box, "lp")
    for point in (center, box.low, box.high, box.sample(generator, 1)[0]):
        exact = exact_preactivations(network, point)
        for relu in network.relus:
            sides = zip(
                bounds.lower[relu.name].tolist(), exact[relu.input], bounds.upper[relu.name].tolist(), strict=True
            )
            assert all(low <= value <= high for low, value, high in sides)
        sides = zip(bounds.output_lower.tolist(), exact[network.output], bounds.output_upper.tolist(), strict=True)
        assert all(low <= value <= high for low, value, high in sides)


def test_where_values_are_beyond_the_solver_the_known_bounds_stay():
    network = random_network(101, (2, 4, 4, 2), 1e9)
    center = np.random.default_rng(101).normal(size=2) * 1e6
    box = Box(center - 1e6, center + 1e6)
    bounds, known = tighten(network, box, "lp"), compute_bounds(network, box, "alpha-crown")
    for found, before in zip(pairs(network, bounds), pairs(network, known), strict=True):
        np.testing.assert_array_equal(found, before)


@pytest.mark.parametrize(
    "domain",
    [
        L1Ball(np.zeros(3), 1.0, np.full(3, -1.0), np.ones(3)),
        Polytope(np.ones((1, 3)), [-np.inf], [-1.0], np.full(3, -1.0), np.ones(3)),
        IntegerPoints(Box(np.full(3, -1.5), np.full(3, 1.5)), np.array([True, True, False])),
    ],
    ids=["l1", "polytope", "integers"],
)
def test_domains_other_than_boxes(domain):
    network = random_network(2, (3, 5, 4, 1))
    points = domain.sample(np.random.default_rng(0), 3000)
    for level in ("lp", "milp"):
        bounds = tighten(network, domain, level, solver=CHILD)
        outputs = network.forward(points)
        assert (outputs >= bounds.output_lower - 1e-12).all()
        assert (outputs <= bounds.output_upper + 1e-12).all()
        over_box = tighten(network, Box(domain.lower, domain.upper), level, solver=CHILD)
        assert (bounds.output_upper <= over_box.output_upper + 1e-6).all()
    if isinstance(domain, IntegerPoints):
        grid = np.array(np.meshgrid([-1, 0, 1], [-1, 0, 1], np.linspace(-1.5, 1.5, 4001))).reshape(3, -1).T
        np.testing.assert_allclose(bounds.output_upper, network.forward(grid).max(axis=0), atol=5e-3)


def test_threads_find_the_same_bounds_as_one():
    network = NETWORKS["deep"]
    box = unit_box(network)
    alone, together = tighten(network, box, "lp"), tighten(network, box, "lp", threads=3)
    for (low, high), (other_low, other_high) in zip(pairs(network, alone), pairs(network, together), strict=True):
        np.testing.assert_allclose(low, other_low, atol=1e-6)
        np.testing.assert_allclose(high, other_high, atol=1e-6)


def test_a_start_is_kept_and_progress_is_told():
    network = NETWORKS["deep"]
    box = unit_box(network)
    told = []
    bounds = tighten(network, box, "lp", progress=told.append)
    assert told[-1].unstable == bounds.unstable_count
    assert {step.layer for step in told} == {affine.name for affine in network.affines[1:]}
    assert all(1 <= step.done <= step.total and step.level == "lp" for step in told)
    told.clear()
    again = tighten(network, box, "crown", start=bounds)
    assert again.level == "lp"
    assert again.unstable_count == bounds.unstable_count
    assert (again.output_upper <= bounds.output_upper).all()


@pytest.mark.parametrize("level", ["lp", "milp"])
def test_the_time_limit_holds_and_the_level_says_what_was_reached(level):
    network = random_network(0, (30, 150, 150, 150, 5))
    box = unit_box(network)
    crown = compute_bounds(network, box, "crown")
    late, end = [], time.monotonic() + 1.5
    bounds = tighten(network, box, level, time_limit=1.5, progress=lambda _: late.append(time.monotonic() > end))
    assert sum(late) <= 2  # one under way at the end, and one more as the limit counts from a moment after `end` does
    assert bounds.level in ("crown", "alpha-crown", "lp")[: 2 if level == "lp" else 3]
    assert_no_looser(bounds, crown)
    assert (
        bounds.unstable_count < crown.unstable_count or (bounds.upper["layer2.relu"] < crown.upper["layer2.relu"]).any()
    )


def test_an_interrupt_ends_tightening_with_what_is_known():
    network = random_network(0, (30, 150, 150, 150, 5))
    interrupt, told = threading.Event(), []

    def interrupted(progress):
        told.append(progress)
        interrupt.set()

    bounds = tighten(network, unit_box(network), "lp", interrupt=interrupt, progress=interrupted)
    assert bounds.level == "alpha-crown"
    assert len(told) == 1  # no neuron was begun after the interrupt
    assert told[0].done < told[0].total


def test_a_failing_callback_is_raised_and_ends_every_thread():
    def fail(_):
        raise ZeroDivisionError

    network = random_network(0, (30, 100, 100, 5))
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        tighten(network, unit_box(network), "lp", threads=2, progress=fail)
    assert threading.active_count() <= before


def test_stable_neurons_cost_nothing():
    told = []
    weights = [np.eye(2), np.eye(2), np.ones((1, 2))]
    network = from_weights(weights, [np.full(2, 5.0), np.full(2, -50.0), np.zeros(1)])
    bounds = tighten(network, Box(np.zeros(2), np.ones(2)), "milp", progress=told.append, solver=Highs())
    assert bounds.unstable_count == 0
    np.testing.assert_allclose(bounds.output_upper, 0.0, atol=1e-12)


def test_subnetworks_hold_what_a_layer_depends_on():
    network = NETWORKS["residual"]
    part = upstream(network, network["a4"])
    point = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(part.forward(point), network.preactivations(point)["r4"])
    assert [node.name for node in upstream(network, network["a2"]).nodes] == ["a1", "r1", "a2"]


def test_wrong_options_are_refused():
    network = NETWORKS["perceptron"]
    box = unit_box(network)
    with pytest.raises(
        InvalidOptionError, match="unknown bound level 'LP'; choose one of interval, crown, alpha-crown, lp, milp"
    ):
        tighten(network, box, "LP")
    with pytest.raises(InvalidOptionError, match="threads must be at least 1"):
        tighten(network, box, "lp", threads=0)
    with pytest.raises(InputError, match="compute them for this network"):
        tighten(network, box, "lp", start=compute_bounds(random_network(9), box, "crown"))
