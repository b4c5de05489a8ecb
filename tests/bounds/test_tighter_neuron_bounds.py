"""Optimised and constrained bounds of neurons: sound at every point they are about, and tighter than CROWN's."""

import numpy as np
import pytest
from bound_cases import NETWORKS, random_network, unit_box
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from formulations.big_m import BigM
from netopt.bounds.alpha_crown import alpha_crown_bounds
from netopt.bounds.compute import compute_bounds
from netopt.bounds.constrained import ConstrainedBounds
from netopt.bounds.objectives import Objectives
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective, rows_of
from netopt.errors import InputError
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball
from netopt.specification.property import Conjunction


def assert_inside(network, bounds, points):
    before = network.preactivations(points)
    for relu in network.relus:
        assert (before[relu.name] >= bounds.lower[relu.name]).all()
        assert (before[relu.name] <= bounds.upper[relu.name]).all()


@pytest.mark.parametrize("name", sorted(NETWORKS))
@given(seed=st.integers(0, 10**6), ball=st.booleans())
@settings(max_examples=5)
def test_optimised_bounds_hold_and_are_no_looser(name, seed, ball):
    network, generator = NETWORKS[name], np.random.default_rng(seed)
    box = unit_box(network, 0.5)
    middle = (box.lower + box.upper) / 2.0
    domain = L1Ball(middle, 0.8, box.lower, box.upper) if ball else box
    crown = compute_bounds(network, domain)
    tight = alpha_crown_bounds(network, domain, crown)
    points = np.concatenate(
        [domain.sample(generator, 5_000), domain.maximizer(generator.normal(size=(50, middle.size)))]
    )
    assert_inside(network, tight, points)
    outputs = network.forward(points)
    assert ((outputs >= tight.output_lower) & (outputs <= tight.output_upper)).all()
    for relu in network.relus:
        assert (tight.lower[relu.name] >= crown.lower[relu.name]).all()
        assert (tight.upper[relu.name] <= crown.upper[relu.name]).all()
    assert tight.level == "alpha-crown"


def test_slopes_gain_and_a_stop_leaves_what_was_known():
    network = random_network(1, (6, 16, 16, 16, 2))
    box = unit_box(network, 0.5)
    crown = compute_bounds(network, box)
    tight = compute_bounds(network, box, "alpha-crown")
    last = network.relus[-1].name
    assert (tight.upper[last] - tight.lower[last]).sum() < 0.9 * (crown.upper[last] - crown.lower[last]).sum()
    stopped = alpha_crown_bounds(network, box, crown, stopped=lambda: True)
    assert stopped.level == "crown"
    for relu in network.relus:
        np.testing.assert_array_equal(stopped.lower[relu.name], crown.lower[relu.name])
    with pytest.raises(InputError, match="compute them for this network"):
        alpha_crown_bounds(random_network(2), unit_box(random_network(2)), crown)


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 3), mixed=st.booleans(), share=st.floats(-0.5, 1.5))
@settings(max_examples=25)
def test_constrained_bounds_hold_where_the_objective_is_open(seed, rows, mixed, share):
    network, generator = random_network(seed % 50, (3, 8, 8, 2)), np.random.default_rng(seed)
    box = unit_box(network, 0.6)
    about_inputs = sparse.csr_array(generator.normal(size=(rows, 3))) if mixed else None
    conjunction = Conjunction(generator.normal(size=(rows, 2)), generator.normal(size=rows), about_inputs)
    objective = SlackObjective.normalised(conjunction)
    points = box.sample(generator, 20_000)
    values = objective.value(points, network.forward(points))
    enough = float(values.min() + share * (values.max() - values.min()))  # some, all or no points are open
    constrained = ConstrainedBounds(network, box, compute_bounds(network, box), rows_of([objective]), enough)
    uppers = [constrained.upper]
    for _ in range(3):
        if constrained.closed:
            break
        constrained.sweep()
        uppers.append(constrained.upper)
    assert sorted(uppers, reverse=True) == uppers
    assert values.max() <= max(constrained.upper, enough)
    if (values > enough).any():
        assert_inside(network, constrained.bounds, points[values > enough])


@pytest.mark.parametrize("seed", range(6))
def test_an_objective_closes_above_its_maximum_and_never_below(seed):
    network = random_network(seed, (3, 8, 8, 1))
    box = unit_box(network, 0.5)
    objective = SlackObjective.linear(np.ones(1))
    bounds = compute_bounds(network, box)
    best = MilpEngine(Highs(), BigM()).maximize(network, box, objective, bounds, SolverParameters()).primal_bound
    below = ConstrainedBounds(network, box, bounds, rows_of([objective]), best - 1e-4 * (1.0 + abs(best)))
    above = ConstrainedBounds(network, box, bounds, rows_of([objective]), best + 0.2 * (below.upper - best) + 1e-6)
    for _ in range(6):
        below.sweep()
        above.sweep()
        assert not below.closed
    assert above.closed or above.upper < below.upper + 1e-9


def test_dead_and_repeated_neurons_points_and_several_objectives():
    network = NETWORKS["degenerate"] if "degenerate" in NETWORKS else random_network(3)
    box = unit_box(network, 0.5)
    point = Box(box.lower, box.lower)
    tight = alpha_crown_bounds(network, point, compute_bounds(network, point))
    assert_inside(network, tight, point.lower[None])
    two = Objectives.separate(np.ones((2, network.output_size)))
    with pytest.raises(InputError, match="one objective at a time, not 2"):
        ConstrainedBounds(network, box, compute_bounds(network, box), two, 0.0)
