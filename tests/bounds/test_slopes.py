"""Slope-optimised upper functions: sound at every step, and close to the triangle relaxation's linear program."""

import numpy as np
import pytest
from bound_cases import NETWORKS, random_network, unit_box
from scipy import sparse

from formulations.triangle import Triangle
from netopt.bounds.crown import crown_bounds
from netopt.bounds.interval import interval_bounds
from netopt.bounds.rows import upper_functions
from netopt.bounds.slopes import SlopeSearch
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective
from netopt.errors import InputError
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.specification.l1_ball import L1Ball


@pytest.mark.parametrize("name", NETWORKS)
def test_every_step_is_sound_and_none_is_lost(name):
    network = NETWORKS[name]
    generator = np.random.default_rng(0)
    outputs = generator.normal(size=(4, network.output_size))
    inputs = sparse.csr_array(generator.normal(size=(4, network.input_size)))
    box = unit_box(network)
    points = box.sample(generator, 5_000)
    values = network.forward(points) @ outputs.T + (inputs @ points.T).T
    for bounds in (interval_bounds(network, box), crown_bounds(network, box)):
        search = SlopeSearch(network, box, bounds, outputs, inputs)
        visited = []
        first = search.run(1, visit=visited.append).copy()
        np.testing.assert_array_equal(first, upper_functions(network, box, bounds, outputs, inputs).bound)
        for _ in range(25):
            search.run(1, visit=visited.append)
            above = search.carry()
            assert (values <= points @ above.coefficients.T + above.constant + 1e-12).all()
            assert (values <= above.bound).all()
        assert (search.bound <= first).all()
        assert (search.bound >= values.max(axis=0)).all()
        assert all(box.contains(members).all() for members in visited)


@pytest.mark.parametrize("seed", range(4))
def test_the_relaxations_optimum_is_approached_from_above(seed):
    network = random_network(seed, (5, 10, 10, 8, 2))
    box = unit_box(network)
    bounds = crown_bounds(network, box)
    weights = np.random.default_rng(seed).normal(size=2)
    engine = MilpEngine(Highs(), Triangle())
    relaxed = engine.maximize(network, box, SlackObjective.linear(weights), bounds, SolverParameters())
    search = SlopeSearch(network, box, bounds, weights[None])
    crown = float(search.run(1)[0])
    least = float(search.run(400)[0])
    assert least >= relaxed.dual_bound - 1e-6 * (1.0 + abs(least))
    assert least - relaxed.dual_bound <= 0.05 * (crown - relaxed.dual_bound) + 1e-6


def test_other_domains_and_a_stop():
    network = random_network(3)
    ball = L1Ball(
        np.zeros(network.input_size), 1.0, np.full(network.input_size, -0.4), np.full(network.input_size, 0.5)
    )
    bounds = crown_bounds(network, ball)
    rows = np.eye(network.output_size)
    values = network.forward(ball.sample(np.random.default_rng(2), 2_000))
    stopped = SlopeSearch(network, ball, bounds, rows)
    steps = []
    stopped.run(50, stopped=lambda: len(steps) == 3, visit=steps.append)
    assert len(steps) == 3
    assert (stopped.bound >= values.max(axis=0)).all()
    with pytest.raises(InputError, match="rows over"):
        SlopeSearch(network, ball, bounds, np.ones((1, network.output_size + 1)))
