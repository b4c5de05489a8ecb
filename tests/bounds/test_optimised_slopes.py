"""Slope-optimised upper functions: sound at every step, and close to the triangle relaxation's linear program."""

import numpy as np
import pytest
from bound_cases import NETWORKS, random_network, unit_box
from scipy import sparse

from formulations.triangle import Triangle
from netopt.bounds.crown import crown_bounds
from netopt.bounds.interval import interval_bounds
from netopt.bounds.objectives import Objectives
from netopt.bounds.phases import PhaseBounds
from netopt.bounds.rows import upper_functions
from netopt.engines.engine import Maximization
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective
from netopt.errors import InputError
from netopt.solvers.highs import Highs
from netopt.specification.l1_ball import L1Ball


@pytest.mark.parametrize("name", NETWORKS)
def test_every_search_is_sound_and_no_bound_is_lost(name):
    network = NETWORKS[name]
    generator = np.random.default_rng(0)
    outputs = generator.normal(size=(4, network.output_size))
    inputs = sparse.csr_array(generator.normal(size=(4, network.input_size)))
    box = unit_box(network)
    points = box.sample(generator, 5_000)
    values = network.forward(points) @ outputs.T + (inputs @ points.T).T
    never = np.full(4, -np.inf)
    for bounds in (interval_bounds(network, box), crown_bounds(network, box)):
        search = PhaseBounds(network, box, bounds, Objectives.separate(outputs, inputs))
        parts, visited = search.whole(), []
        least = search.bound(parts, 0, never).upper
        assert (least <= upper_functions(network, box, bounds, outputs, inputs).bound + 1e-9).all()
        for _ in range(5):
            upper = search.bound(parts, 5, never, visit=visited.append).upper
            above = search.prove(parts)[1]
            assert (values <= points @ above.coefficients.T + above.constant + 1e-12).all()
            assert (values <= upper).all()
            assert (upper <= least + 1e-5).all()  # the search tells in float32 which choice was best
            least = upper
        assert len(visited) == 5 * 6
        assert all(box.contains(members, 1e-6).all() for members in visited)


@pytest.mark.parametrize("seed", range(4))
def test_the_relaxations_optimum_is_approached_from_above(seed):
    network = random_network(seed, (5, 10, 10, 8, 2))
    box = unit_box(network)
    bounds = crown_bounds(network, box)
    weights = np.random.default_rng(seed).normal(size=2)
    engine = MilpEngine(Highs(), Triangle())
    relaxed = engine.maximize(Maximization(network, box, SlackObjective.linear(weights), bounds))
    search = PhaseBounds(network, box, bounds, Objectives.separate(weights[None]))
    parts, never = search.whole(), np.array([-np.inf])
    crown = float(search.bound(parts, 0, never).upper[0])
    for _ in range(4):  # every search begins with long steps again
        least = float(search.bound(parts, 100, never).upper[0])
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
    search = PhaseBounds(network, ball, bounds, Objectives.separate(rows))
    steps = []
    never = np.full(len(rows), -np.inf)
    stopped = search.bound(search.whole(), 50, never, lambda: len(steps) == 3, steps.append)
    assert len(steps) == 3
    assert (stopped.upper >= values.max(axis=0)).all()
    with pytest.raises(InputError, match="rows over"):
        PhaseBounds(network, ball, bounds, Objectives.separate(np.ones((1, network.output_size + 1))))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_search_ends_early_where_the_bounds_suffice(name):
    network = NETWORKS[name]
    box = unit_box(network)
    rows = np.concatenate([np.eye(network.output_size), -np.eye(network.output_size)])
    search = PhaseBounds(network, box, crown_bounds(network, box), Objectives.separate(rows))
    crown = search.bound(search.whole(), 0, np.full(len(rows), -np.inf)).upper
    easy = np.arange(len(rows)) % 2 == 0
    enough = np.where(easy, crown + 1.0, -np.inf)
    parts = search.whole()
    upper = search.bound(parts, 20, enough).upper
    np.testing.assert_allclose(upper[easy], crown[easy], atol=1e-4)  # left alone after the first look
    alone = search.whole().take(~easy)
    np.testing.assert_allclose(upper[~easy], search.bound(alone, 20, enough).upper, rtol=1e-3, atol=1e-4)
