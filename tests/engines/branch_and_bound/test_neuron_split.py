"""Branch and bound on neurons: bounds hold at every point and at any time, and reach those of MILPs."""

from __future__ import annotations

import numpy as np
import pytest
from bound_cases import NETWORKS, assert_between, random_network, unit_box
from followed_search import Follower, problem_of
from hypothesis import given, settings
from hypothesis import strategies as st

from netopt.bounds.compute import compute_bounds
from netopt.engines.branch_and_bound import lanes, tightening
from netopt.engines.branch_and_bound.lanes import Lanes
from netopt.engines.branch_and_bound.layer_pass import split_neurons
from netopt.engines.branch_and_bound.neuron_split import NeuronSplit
from netopt.engines.branch_and_bound.tightening import Tightening
from netopt.engines.objective import SlackObjective
from netopt.errors import InputError
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball
from netopt.tightening.levels import tighten


@pytest.mark.parametrize("name", sorted(NETWORKS))
@given(seed=st.integers(0, 10**6), ball=st.booleans(), parts=st.integers(1, 60))
@settings(max_examples=4)
def test_bounds_hold_and_are_no_looser(name: str, seed: int, ball: bool, parts: int) -> None:
    network, generator = NETWORKS[name], np.random.default_rng(seed)
    radius = np.where(generator.random(network.input_size) < 0.2, 0.0, generator.uniform(0.05, 1.0))
    middle = generator.uniform(-1.0, 1.0, network.input_size)
    box = Box(middle - radius, middle + radius)
    domain = L1Ball(middle, 0.8, box.lower, box.upper) if ball else box
    crown = compute_bounds(network, domain)
    assert_between(network, domain, crown, split_neurons(network, domain, crown, parts))


@pytest.mark.parametrize(("seed", "scale"), [(0, 1.0), (1, 1e-3)])
def test_sides_that_matter_reach_the_bounds_of_milps(seed: int, scale: float) -> None:
    network = random_network(seed, (3, 6, 5, 4, 2), scale)
    box = unit_box(network, 0.7)
    crown = compute_bounds(network, box)
    exact = tighten(network, box, "milp", start=crown)
    split = split_neurons(network, box, crown, 2_000)
    for relu in network.relus:
        low, high = exact.lower[relu.name], exact.upper[relu.name]
        size = 1e-4 * np.maximum(np.abs(low), np.abs(high)) + 1e-12
        open_ = (low < -size) & (high > size)  # MILPs leave neurons alone that are known to be stable
        assert (split.lower[relu.name] <= low + size)[open_].all()
        assert (split.upper[relu.name] >= high - size)[open_].all()
        upper_counts = open_ & (-low > 0.5 * (high - low))
        lower_counts = open_ & (high > 0.5 * (high - low))
        assert split.upper[relu.name][upper_counts] == pytest.approx(high[upper_counts], rel=0.05)
        assert split.lower[relu.name][lower_counts] == pytest.approx(low[lower_counts], rel=0.05)
        decided = (low > size) | (high < -size)
        assert not split.unstable(relu.name)[decided].any()


def test_bounds_tighten_with_parts_and_a_stop_leaves_what_was_known() -> None:
    network = random_network(1, (6, 16, 16, 16, 2))
    box = unit_box(network, 0.5)
    crown = compute_bounds(network, box)
    width = [
        sum(float((b.upper[r.name] - b.lower[r.name]).sum()) for r in network.relus)
        for b in (crown, split_neurons(network, box, crown, 4), split_neurons(network, box, crown, 64))
    ]
    assert width[0] > width[1] > width[2]
    stopped = split_neurons(network, box, crown, 64, stopped=lambda: True)
    late = split_neurons(network, box, crown, 64, deadline=0.0)
    for name, (lower, upper) in crown.pairs.items():
        for bounds in (stopped, late):
            assert np.array_equal(bounds.lower[name], lower)
            assert np.array_equal(bounds.upper[name], upper)


def test_a_search_goes_on_where_it_ended() -> None:
    network = random_network(5, (6, 16, 16, 16, 2))
    box = unit_box(network, 0.5)
    split = NeuronSplit(network, box, compute_bounds(network, box).pairs, network.relus[-1])
    before, bounded = split.sides, 0
    for _ in range(5):
        split.advance(50, lambda: False)
        assert (split.sides <= before).all()
        assert split.bounded > bounded
        before, bounded = split.sides, split.bounded
    calls = iter([False, False, True])
    split.advance(10**6, lambda: next(calls, True))
    assert (split.sides <= before).all()


def test_layers_without_an_unstable_neuron_stay_as_they_are() -> None:
    network = random_network(3)
    point = Box(np.full(4, 0.3), np.full(4, 0.3))
    crown = compute_bounds(network, point)
    split = NeuronSplit(network, point, crown.pairs, network.relus[-1])
    split.advance(100, lambda: False)
    assert split.bounded == 0
    assert np.array_equal(split.bounds()[0], crown.lower[network.relus[-1].name])


def test_too_many_neurons_leave_those_nearest_to_stable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netopt.engines.branch_and_bound.neuron_split._NEURONS", 3)
    network = random_network(1, (6, 16, 16, 16, 2))
    box = unit_box(network, 0.5)
    crown = compute_bounds(network, box)
    last = network.relus[-1].name
    split = NeuronSplit(network, box, crown.pairs, network.relus[-1])
    assert split.neurons.size == 3
    near = np.minimum(crown.upper[last], -crown.lower[last]) / (crown.upper[last] - crown.lower[last])
    others = np.setdiff1d(np.flatnonzero(crown.unstable(last)), split.neurons)
    assert near[split.neurons].max() <= near[others].min()
    assert_between(network, box, crown, split_neurons(network, box, crown, 20))


def test_bounds_of_another_network_are_refused() -> None:
    box = unit_box(random_network(1))
    with pytest.raises(InputError, match="belong to the network"):
        split_neurons(random_network(2), box, compute_bounds(random_network(1), box), 10)


def test_a_search_that_stalls_begins_anew_on_tighter_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tightening, "_TRIAL", 0.0)
    monkeypatch.setattr(lanes, "_TURN", 0.02)
    network = random_network(7, (24, 24, 24, 24, 1))
    box = unit_box(network, 0.3)
    problem = problem_of(network, box, [SlackObjective.linear(np.ones(1))])
    searches = Lanes(problem, Follower(problem, 0.0))
    upper = [np.inf]

    for _ in range(6):
        searches.advance(None, most=600)
        upper.append(float(searches.upper[0]))
        assert upper[-1] <= upper[-2]

    lane = searches._lanes[-1]
    assert lane.tightening is not None
    assert lane.tightening.passes >= 2
    tight = lane.tightening.problem.bounds
    assert_between(network, box, problem.bounds, tight)
    assert tight.unstable_count < problem.bounds.unstable_count
    points = box.sample(np.random.default_rng(1), 10_000)
    assert network.forward(points).max() <= upper[-1]


def test_passes_wait_until_splitting_stalls_and_grow_apart() -> None:
    network = random_network(7, (6, 16, 16, 16, 1))
    passes = Tightening(problem_of(network, unit_box(network, 0.3), [SlackObjective.linear(np.ones(1))]))
    assert passes.seconds(2.0, 2.0, growing=False) == 0.0
    assert passes.seconds(0.4, 0.4, growing=True) == 0.0
    first = passes.seconds(2.0, 2.0, growing=True)
    assert first > 0.0
    passes.spent = passes._last = first
    assert passes.seconds(2.0, 2.0, growing=True) == 0.0
    assert passes.seconds(20.0 * first, 2.0, growing=True) > 2.0 * first
