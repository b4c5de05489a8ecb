from __future__ import annotations

import threading

import numpy as np
import pytest
from activation_patterns import largest_slack, random_perceptron
from hypothesis import given, settings
from hypothesis import strategies as st
from solved_cases import random_objective

from formulations.big_m import BigM
from formulations.registry import FORMULATIONS
from formulations.triangle import Triangle
from netopt.bounds.compute import compute_bounds
from netopt.engines.engine import Maximization
from netopt.engines.milp import MilpEngine, build_slack_model
from netopt.engines.objective import SlackObjective
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.specification.box import Box
from netopt.specification.property import Conjunction

ENGINE = MilpEngine(Highs(), BigM())
EXACT_LINEAR = sorted(name for name, form in FORMULATIONS.items() if form.exact and not form.requires)


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 3), mixed=st.booleans(), point=st.booleans())
@settings(max_examples=25)
def test_the_maximum_is_that_of_all_activation_patterns(seed: int, rows: int, mixed: bool, point: bool) -> None:
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [2, 3, 3, 2])
    lower = generator.integers(-4, 3, size=2) / 2.0
    upper = lower + (0.0 if point else generator.integers(1, 5, size=2) / 2.0)
    objective = random_objective(generator, rows, 2, 2, mixed=mixed)
    network, box = perceptron.network, Box(lower, upper)
    expected = largest_slack(perceptron, objective.conjunction, objective.norm, lower, upper)

    answer = ENGINE.maximize(
        Maximization(
            network, box, objective, compute_bounds(network, box), SolverParameters(relative_gap=0.0, absolute_gap=1e-9)
        )
    )

    assert answer.termination is Termination.OPTIMAL
    assert answer.dual_bound == pytest.approx(expected, abs=1e-5)
    assert answer.point is not None
    replayed = objective.value(answer.point[None], network.forward(answer.point)[None])[0]
    assert replayed == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", EXACT_LINEAR)
def test_a_start_is_feasible_in_every_formulation(name: str) -> None:
    generator = np.random.default_rng(3)
    network = random_perceptron(generator, [3, 5, 4, 2]).network
    box = Box(-np.ones(3), np.ones(3))
    objective = random_objective(generator, 3, 3, 2, mixed=True)
    model = build_slack_model(network, box, objective, compute_bounds(network, box), FORMULATIONS[name]())
    for x in box.sample(generator, 20):
        start = model.start(x)
        assert model.model.violation(start) <= 1e-9
        value = objective.value(x[None], network.forward(x)[None])[0]
        assert model.model.objective_value(start) == pytest.approx(value, abs=1e-9)


def test_one_row_needs_no_margin_column() -> None:
    network = random_perceptron(np.random.default_rng(5), [2, 3, 2]).network
    box = Box(np.zeros(2), np.ones(2))
    bounds = compute_bounds(network, box)
    weights = np.array([1.0, -2.0])
    one = build_slack_model(network, box, SlackObjective.linear(weights), bounds, BigM())
    two = build_slack_model(
        network, box, SlackObjective.normalised(Conjunction(np.eye(2), np.zeros(2))), bounds, BigM()
    )
    assert one.margin.size == 0
    assert two.margin.size == 1
    assert two.model.column_count == one.model.column_count + 1


def test_a_relaxation_bounds_the_maximum_from_above() -> None:
    generator = np.random.default_rng(11)
    perceptron = random_perceptron(generator, [2, 4, 3, 1])
    network, box = perceptron.network, Box(-np.ones(2), np.ones(2))
    objective = SlackObjective.linear(np.ones(1))
    bounds = compute_bounds(network, box)
    exact = ENGINE.maximize(Maximization(network, box, objective, bounds))
    relaxed = MilpEngine(Highs(), Triangle()).maximize(Maximization(network, box, objective, bounds))
    assert relaxed.dual_bound >= exact.dual_bound - 1e-6
    assert relaxed.binaries == 0


def test_the_bound_limit_ends_the_search_early() -> None:
    generator = np.random.default_rng(2)
    network = random_perceptron(generator, [4, 12, 12, 1]).network
    box = Box(-np.ones(4), np.ones(4))
    bounds = compute_bounds(network, box)
    objective = SlackObjective.linear(np.ones(1))
    optimum = ENGINE.maximize(Maximization(network, box, objective, bounds)).dual_bound
    limit = 0.5 * optimum + 0.5 * float(bounds.output_upper[0])
    answer = ENGINE.maximize(Maximization(network, box, objective, bounds, SolverParameters(bound_limit=limit)))
    assert answer.termination in (Termination.BOUND_LIMIT, Termination.OPTIMAL)
    assert optimum - 1e-6 <= answer.dual_bound <= limit


def test_incumbents_are_streamed_as_inputs_and_an_interrupt_ends_the_search() -> None:
    generator = np.random.default_rng(9)
    network = random_perceptron(generator, [6, 16, 16, 1]).network
    box = Box(-np.ones(6), np.ones(6))
    halt = threading.Event()
    points = []

    def found(point: np.ndarray) -> None:
        points.append(point)
        halt.set()

    answer = ENGINE.maximize(
        Maximization(
            network,
            box,
            SlackObjective.linear(np.ones(1)),
            compute_bounds(network, box),
            SolverParameters(time_limit=30.0),
            on_point=found,
            interrupt=halt,
        )
    )
    assert len(points) > 0
    assert points[0].shape == (6,)
    assert answer.termination in (Termination.INTERRUPTED, Termination.OPTIMAL)
    assert answer.seconds < 15.0
