"""Optimised and constrained bounds of neurons: sound at every point they are about, and tighter than CROWN's."""

import numpy as np
import pytest
from bound_cases import NETWORKS, assert_inside, assert_no_looser, random_network, unit_box
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from formulations.big_m import BigM
from netopt.bounds.alpha_crown import alpha_crown_bounds
from netopt.bounds.compute import compute_bounds
from netopt.bounds.constrained import constrained_bounds
from netopt.bounds.neuron_bounds import Condition, bound_neurons
from netopt.bounds.objectives import Objectives
from netopt.bounds.phases import PhaseBounds
from netopt.engines.engine import Maximization
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective, rows_of
from netopt.errors import InputError
from netopt.solvers.highs import Highs
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball
from netopt.specification.property import Conjunction


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
    assert_no_looser(tight, crown)
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


def condition_of(network, box, bounds, objective, enough):
    upper = PhaseBounds(network, box, bounds, rows_of([objective]))
    reached = float(upper.prove(upper.whole())[0][0])
    return Condition(rows_of([objective]), enough, max(reached - enough, 1e-3))


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 3), mixed=st.booleans(), share=st.floats(-0.5, 1.5))
@settings(max_examples=12)
def test_constrained_bounds_hold_where_an_objective_is_open(seed, rows, mixed, share):
    network, generator = random_network(seed % 50, (3, 8, 8, 2)), np.random.default_rng(seed)
    box = unit_box(network, 0.6)
    points = box.sample(generator, 10_000)
    outputs, bounds = network.forward(points), compute_bounds(network, box)
    conditions, is_open = [], []
    for _ in range(seed % 2 + 1):
        about_inputs = sparse.csr_array(generator.normal(size=(rows, 3))) if mixed else None
        conjunction = Conjunction(generator.normal(size=(rows, 2)), generator.normal(size=rows), about_inputs)
        objective = SlackObjective.normalised(conjunction)
        values = objective.value(points, outputs)
        enough = float(values.min() + share * (values.max() - values.min()))  # some, all or no points are open
        conditions.append(condition_of(network, box, bounds, objective, enough))
        is_open.append(values > enough)
    tight, nowhere = constrained_bounds(network, box, bounds, conditions)
    for some, empty in zip(is_open, nowhere, strict=True):
        assert not (empty and some.any())
    assert_inside(network, tight, points[np.any(is_open, axis=0)])
    assert_no_looser(tight, bounds)


@pytest.mark.parametrize("seed", range(6))
def test_conditions_above_the_maximum_can_be_met_nowhere_and_others_gain(seed):
    network = random_network(seed, (3, 8, 8, 1))
    box = unit_box(network, 0.5)
    objective = SlackObjective.linear(np.ones(1))
    bounds = compute_bounds(network, box)
    answer = MilpEngine(Highs(), BigM()).maximize(Maximization(network, box, objective, bounds))
    best, found = answer.primal_bound, []
    last = network.relus[-1].name
    for enough in (best - 1e-4 * (1.0 + abs(best)), bounds.output_upper[0] + 1e-3):
        condition = condition_of(network, box, bounds, objective, enough)
        found.append(constrained_bounds(network, box, bounds, [condition]))
    (below, met), (_, never) = found
    assert not met[0]
    assert never[0]
    assert (below.upper[last] - below.lower[last]).sum() < (bounds.upper[last] - bounds.lower[last]).sum()
    assert_inside(network, below, box.project(answer.point[None]))


def test_a_stop_leaves_what_was_known():
    network = random_network(1)
    box = unit_box(network, 0.5)
    bounds = compute_bounds(network, box)
    condition = condition_of(network, box, bounds, SlackObjective.linear(np.ones(network.output_size)), 0.0)
    same, nowhere = constrained_bounds(network, box, bounds, [condition], stopped=lambda: True)
    assert not nowhere[0]
    for relu in network.relus:
        np.testing.assert_array_equal(same.upper[relu.name], bounds.upper[relu.name])


def test_a_stop_between_layers_keeps_what_all_conditions_have_gained():
    network = random_network(2, (3, 8, 8, 1))
    box = unit_box(network, 0.5)
    bounds, objective = compute_bounds(network, box), SlackObjective.linear(np.ones(1))
    points = box.sample(np.random.default_rng(0), 10_000)
    values = objective.value(points, network.forward(points))
    enough = float(values.max())
    conditions = [condition_of(network, box, bounds, objective, enough - 1e-3 * k) for k in (1, 2)]
    steps = 0

    def stopped() -> bool:  # every condition has come to the last layer, none to the one in front of it
        return steps == len(conditions)

    def counted(*args, **keywords):
        nonlocal steps
        steps += 1
        return bound_neurons(*args[:5], lambda: False, *args[6:], **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netopt.bounds.constrained.bound_neurons", counted)
        tight, nowhere = constrained_bounds(network, box, bounds, conditions, stopped)
    assert steps == 2
    assert not nowhere.any()
    last = network.relus[-1].name
    assert (tight.upper[last] - tight.lower[last]).sum() < (bounds.upper[last] - bounds.lower[last]).sum()
    assert_inside(network, tight, points[values > enough - 1e-3])


def test_dead_and_repeated_neurons_points_and_several_objectives():
    network = NETWORKS["degenerate"] if "degenerate" in NETWORKS else random_network(3)
    box = unit_box(network, 0.5)
    point = Box(box.lower, box.lower)
    tight = alpha_crown_bounds(network, point, compute_bounds(network, point))
    assert_inside(network, tight, point.lower[None])
    two = Objectives.separate(np.ones((2, network.output_size)))
    with pytest.raises(InputError, match="about one objective, not 2"):
        constrained_bounds(network, box, compute_bounds(network, box), [Condition(two, 0.0, 1.0)])
