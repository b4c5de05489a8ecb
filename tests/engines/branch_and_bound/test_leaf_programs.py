"""Linear programs of parts whose networks, once condensed, are not quite those that the parts are about."""

from __future__ import annotations

import numpy as np
import pytest
from followed_search import problem_of

from netopt.bounds.interval import interval_bounds
from netopt.bounds.parts import PartBounds, Parts
from netopt.bounds.phases import PhaseBounds
from netopt.engines.branch_and_bound.leaves import LeafPrograms
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.objective import SlackObjective, rows_of
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.specification.box import Box

UNIT = Box(np.array([-1.0]), np.ones(1))


def solved(network: Network, problem: Problem) -> tuple[PhaseBounds, Parts, PartBounds]:
    bounds = PhaseBounds(network, UNIT, problem.bounds, rows_of(problem.objectives))
    answer = LeafPrograms(problem, bounds).solve(bounds.whole(), lambda: False)
    assert answer is not None
    return bounds, *answer


def test_a_neuron_that_the_condensed_network_settles_is_no_column_of_the_program() -> None:
    # The second layer's first neuron is 0.5 everywhere; only with the first layer substituted do intervals show it.
    network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0], [1.0, 0.0]], [[1.0, 1.0]]], [[5.0, 5.0], [-9.5, -5.0], [0.0]])
    problem = Problem(network, UNIT, interval_bounds(network, UNIT), (SlackObjective.linear(np.ones(1)),))

    bounds, found, known = solved(network, problem)

    assert bounds.neurons.size == 2
    assert known.upper[0] == pytest.approx(1.5)
    assert found.slope.shape == found.multiplier.shape == known.looseness.shape == (1, 2)


def test_a_condensed_network_without_any_input_is_its_constant() -> None:
    network = from_weights([[[1.0]], [[0.0]]], [[-3.0], [2.0]])

    _, _, known = solved(network, problem_of(network, UNIT, [SlackObjective.linear(np.ones(1))]))

    assert known.upper[0] == pytest.approx(2.0)


def test_numbers_that_the_solver_refuses_leave_a_part_its_bound() -> None:
    network = from_weights([[[1e20], [-1e20]], [[1e20, 1e20]]], [[0.0, 0.0], [0.0]])
    problem = problem_of(network, UNIT, [SlackObjective.linear(np.ones(1))])

    bounds, found, known = solved(network, problem)

    assert 1e40 <= known.upper[0] == bounds.prove(found)[0][0] < np.inf
