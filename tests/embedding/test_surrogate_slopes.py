"""Surrogates that keep the slope, and steps that change integers beside continuous decisions."""

import highspy
import numpy as np
import pytest
from activation_patterns import random_perceptron

from netopt.embedding import add_predictor_constr
from netopt.embedding.adapter import adapt
from netopt.embedding.correction import with_slope
from netopt.embedding.sparse import parse_sparse, sparsify
from netopt.embedding.surrogate_candidate import candidate
from netopt.embedding.surrogate_evaluation import TOLERANCE, Evaluator
from netopt.embedding.surrogate_problem import EmbeddedProblem, read_problem
from netopt.embedding.surrogate_steps import LinearSteps, solve_linear
from netopt.embedding.surrogate_writing import write_problem
from netopt.network.build import from_weights
from netopt.network.gradient import value_and_gradient
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.tightening.levels import tighten

BOX = Box(np.array([-1.0, 0.0, 0.5, -2.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.5, 2.0, 3.0, 4.0]))


def network_of(seed: int) -> Network:
    return random_perceptron(np.random.default_rng(seed), [6, 12, 9, 3]).network


def slopes(network: Network, point: np.ndarray) -> np.ndarray:
    return value_and_gradient(network, np.tile(point, (3, 1)), np.eye(3))[1]


def neuron_weights(network: Network) -> int:
    read = {relu.input for relu in network.relus}
    return sum(m.to_csr().nnz for node in network.affines if node.name in read for m in node.maps)


def inside(generator: np.random.Generator, count: int) -> np.ndarray:
    return generator.uniform(BOX.lower, BOX.upper, size=(count, 6))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("option", ["domain-aware:0.9", "magnitude:0.5", "neuron-norm:0.6", "ticket-rescaled:0.6"])
def test_value_and_slope_are_kept_at_the_point(seed, option) -> None:
    network, generator = network_of(seed), np.random.default_rng(seed)
    point = inside(generator, 1)[0]
    found = sparsify(network, BOX, "crown", parse_sparse(option), point)
    np.testing.assert_allclose(found.network.forward(point), network.forward(point), atol=1e-9)
    free = np.flatnonzero(BOX.lower < BOX.upper)
    np.testing.assert_allclose(slopes(found.network, point)[:, free], slopes(network, point)[:, free], atol=1e-9)
    assert neuron_weights(found.network) < neuron_weights(network)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("known", [True, False])
def test_bounds_of_a_corrected_network_hold(seed, known) -> None:
    network, generator = network_of(seed), np.random.default_rng(seed)
    point = inside(generator, 1)[0] if known else None
    found = sparsify(network, BOX, "crown", parse_sparse("domain-aware:0.7"), point)
    found.bounds.require(found.network)
    answers = found.network.forward(inside(generator, 2000))
    assert (answers >= found.bounds.output_lower - 1e-9).all()
    assert (answers <= found.bounds.output_upper + 1e-9).all()


def test_a_slope_over_the_domain_brings_the_networks_together() -> None:
    """What pruning took is linear here, and bounds of it meet: nothing is lost."""
    network = from_weights([[[1.0, 0.01, 0.0], [0.01, 0.0, 1.0]], [[2.0, -1.0]]], [[5.0, 5.0], [0.0]])
    domain = Box(-np.ones(3), np.ones(3))
    points = np.random.default_rng(0).uniform(-1.0, 1.0, size=(50, 3))
    found = sparsify(network, domain, "crown", parse_sparse("magnitude:0.5"))
    np.testing.assert_allclose(found.network.forward(points), network.forward(points), atol=1e-9)


def test_a_slope_that_is_not_finite_is_left_out() -> None:
    network = network_of(0)
    bounds = tighten(network, BOX, "crown")
    for slope in (np.full((3, 6), np.inf), np.full((3, 6), np.nan)):
        assert with_slope(network, bounds, BOX, slope, BOX.center) == (network, bounds)


def plant(seed: int) -> tuple[EmbeddedProblem, Evaluator, Network]:
    """Loads that are 0 or in [0.4, 1], as their binaries say: no single move of a binary keeps the rows."""
    network = random_perceptron(np.random.default_rng(seed), [9, 10, 8, 1]).network
    model = highspy.Highs()
    model.silent()
    load, on = [model.addVariable(lb=0.0, ub=1.0) for _ in range(4)], [model.addBinary() for _ in range(4)]
    count = model.addIntegral(lb=0.0, ub=6.0)
    for amount, runs in zip(load, on, strict=True):
        model.addConstr(amount - 1.0 * runs <= 0.0)
        model.addConstr(amount - 0.4 * runs >= 0.0)
    model.addConstr(sum(load) <= 2.0)
    prediction = add_predictor_constr(model, network, [*load, *on, count])
    model.setObjective(1.0 * prediction.output[0], highspy.ObjSense.kMaximize)
    _, problem = read_problem(adapt(model), [prediction])
    return problem, Evaluator(problem, write_problem(problem).blocks), network


def steps_of(evaluator: Evaluator) -> LinearSteps:
    return LinearSteps(evaluator, lambda model: solve_linear(model, 10.0))


@pytest.mark.parametrize("seed", range(6))
def test_leaps_turn_units_on_and_never_lose(seed) -> None:
    problem, evaluator, network = plant(seed)
    start = candidate(evaluator.evaluate(np.zeros((1, problem.linear.column_count))), 0)
    assert start.feasible
    found = steps_of(evaluator).leap(start, lambda: False)
    assert found.feasible
    assert found is start or found.worth > start.worth
    assert found.worth == pytest.approx(network.forward(found.point[:9])[0])
    slope = value_and_gradient(network, start.point[None, :9], np.eye(1))[1][0]
    if slope[8] > 1e-9 and network.forward(np.eye(9)[8])[0] > start.worth:
        assert found is not start  # counting one up is within the shortest leap


def test_leaps_go_where_single_moves_cannot() -> None:
    gains = [steps_of(evaluator).leap(start, lambda: False).point[4:8].sum() for evaluator, start in started(range(6))]
    assert max(gains) >= 1.0


def started(seeds):
    for seed in seeds:
        problem, evaluator, _ = plant(seed)
        yield evaluator, candidate(evaluator.evaluate(np.zeros((1, problem.linear.column_count))), 0)


@pytest.mark.parametrize("radius", [0.05, 0.5, 1.0])
def test_strays_stay_near_and_keep_the_rows(radius) -> None:
    problem, evaluator, _ = plant(1)
    point = np.zeros((1, problem.linear.column_count))
    point[0, [0, 1, 4, 5, 8]] = [0.5, 0.9, 1.0, 1.0, 3.0]
    start = candidate(evaluator.evaluate(point), 0)
    generator = np.random.default_rng(0)
    strayed = [steps_of(evaluator).stray(start, radius, generator) for _ in range(8)]
    for found in strayed:
        assert found.violation <= TOLERANCE
        change = np.abs(found.point - start.point)
        assert change[:4].max() <= radius + 1e-6
        assert change[4:8].sum() <= max(2, round(4 * radius))
        assert change[8] <= max(1.0, 6.0 * radius)
    assert len({found.point[:9].round(6).tobytes() for found in strayed}) > 1
