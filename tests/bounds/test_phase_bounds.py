"""Bounds over parts with fixed phases: sound for any slopes and multipliers, on every kind of network."""

from __future__ import annotations

import numpy as np
import pytest
from bound_cases import NETWORKS, random_network, unit_box
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from netopt.bounds.compute import compute_bounds
from netopt.bounds.objectives import Objectives
from netopt.bounds.parts import Parts
from netopt.bounds.phases import PhaseBounds
from netopt.bounds.rows import bound_rows
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine
from netopt.specification.l1_ball import L1Ball

#: No bound suffices.
NEVER = np.array([-np.inf])


def preactivations(network: Network, points: np.ndarray) -> np.ndarray:
    """Return what the forward pass computes before every ReLU, side by side."""
    values = {INPUT: points}
    for node in network.nodes:
        if isinstance(node, Affine):
            terms = [
                linear_map.apply(values[source]) for source, linear_map in zip(node.inputs, node.maps, strict=True)
            ]
            values[node.name] = node.bias + sum(terms)
        else:
            values[node.name] = np.maximum(values[node.input], 0.0)
    return np.concatenate([values[relu.input] for relu in network.relus], axis=1)


@pytest.mark.parametrize("name", sorted(NETWORKS))
@given(seed=st.integers(0, 10**6), ball=st.booleans(), steps=st.sampled_from([0, 3]))
@settings(max_examples=8)
def test_no_point_of_a_part_lies_above_its_bound(name: str, seed: int, ball: bool, steps: int) -> None:
    network, generator = NETWORKS[name], np.random.default_rng(seed)
    box = unit_box(network, 0.5)
    middle = (box.lower + box.upper) / 2.0
    domain = L1Ball(middle, 0.8, box.lower, box.upper) if ball else box
    row, about_inputs = generator.normal(size=network.output_size), generator.normal(size=network.input_size)
    search = PhaseBounds(
        network,
        domain,
        compute_bounds(network, domain),
        Objectives.separate(row[None], sparse.csr_array(about_inputs[None])),
    )
    points = domain.sample(generator, 40)
    values = network.forward(points) @ row + points @ about_inputs
    before = preactivations(network, points)[:, search.neurons]
    chosen = generator.random(before.shape) < generator.random((40, 1))  # part k holds point k
    parts = Parts(
        np.zeros(40, dtype=np.int64),
        np.where(chosen, np.where(before >= 0.0, 1, -1), 0).astype(np.int8),
        generator.random(before.shape).astype(np.float32),
        np.where(chosen, 3.0 * generator.random(before.shape), 0.0).astype(np.float32),
        np.ones((40, 1)),
    )

    answer = search.bound(parts, steps, NEVER)

    sign = np.where(before >= 0.0, 1, -1)
    inside = ((parts.phase[:, None] == 0) | (parts.phase[:, None] == sign) | (before == 0.0)).all(axis=2)
    assert inside.diagonal().all()
    above = np.where(inside, values, -np.inf).max(axis=1)
    assert (above <= answer.upper).all()
    assert domain.contains(answer.points, 1e-9).all()
    again = search.bound(parts, 0, NEVER)  # what is left in the parts is what gave the bounds
    np.testing.assert_array_equal(again.upper, answer.upper)


def test_the_whole_domain_starts_at_crown_and_comes_to_the_optimised_slopes() -> None:
    network = random_network(3, (6, 12, 12, 2))
    box = unit_box(network, 0.6)
    bounds, row = compute_bounds(network, box), np.array([1.0, -1.0])
    search = PhaseBounds(network, box, bounds, Objectives.separate(row[None]))
    crown = bound_rows(network, box, bounds, row[None])[0]
    assert search.bound(search.whole(), 0, NEVER).upper[0] == pytest.approx(crown, rel=1e-9)
    best = search.bound(search.whole(), 200, NEVER).upper[0]
    assert best < crown - 1e-3
    assert search.bound(search.whole(), 60, NEVER).upper[0] == pytest.approx(best, abs=0.02 * (crown - best))


def test_multipliers_show_that_a_part_is_empty() -> None:
    network = random_network(5, (3, 4, 1))
    box = unit_box(network, 0.5)
    bounds = compute_bounds(network, box)
    search = PhaseBounds(network, box, bounds, Objectives.separate(np.zeros((1, 1))))
    name, neuron = search.place(0)
    parts = search.whole().halves(np.array([0]))
    parts.multiplier[:, 0] = 1.0
    # Of the zero row only the constraint is left: its maximum is how far the neuron reaches into its phase.
    np.testing.assert_allclose(
        search.bound(parts, 0, NEVER).upper, [bounds.upper[name][neuron], -bounds.lower[name][neuron]], rtol=1e-9
    )
    assert (parts.phase[:, 0] == [1, -1]).all()


def test_every_free_neuron_can_be_split_and_no_fixed_one() -> None:
    network = random_network(6)
    box = unit_box(network, 0.5)
    bounds = compute_bounds(network, box)
    search = PhaseBounds(network, box, bounds, Objectives.separate(np.ones((1, 3))))
    parts = search.whole()
    unstable = np.concatenate([bounds.unstable(relu.name) for relu in network.relus])
    np.testing.assert_array_equal(search.neurons, np.flatnonzero(unstable))
    assert np.isfinite(search.bound(parts, 0, NEVER).looseness).all()
    halves = parts.halves(np.array([1]))
    assert np.isneginf(search.bound(halves, 0, NEVER).looseness[:, 1]).all()
    assert np.isfinite(np.delete(search.bound(halves, 0, NEVER).looseness, 1, axis=1)).all()


def test_objectives_with_fewer_rows_are_bounded_by_their_own_rows_alone() -> None:
    network, generator = random_network(5, (4, 10, 10, 3)), np.random.default_rng(1)
    box = unit_box(network, 0.6)
    matrix, offset = generator.normal(size=(6, 3)), generator.normal(size=6)
    objectives = Objectives(matrix, offset, np.ones(6), np.array([0, 1, 1, 2, 2, 2]))
    search = PhaseBounds(network, box, compute_bounds(network, box), objectives)
    parts = search.whole()
    upper = search.bound(parts, 30, np.full(3, -np.inf)).upper
    slack = network.forward(box.sample(generator, 20_000)) @ matrix.T + offset
    for objective, rows in enumerate(([0], [1, 2], [3, 4, 5])):
        assert slack[:, rows].min(axis=1).max() <= upper[objective]
        assert (parts.weight[objective, len(rows) :] == 0.0).all()
    parts.weight[:] = 1.0  # whatever the weights
    assert slack[:, 0].max() <= search.prove(parts)[0][0]


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_no_half_begins_above_its_part(name: str) -> None:
    """Where the row's coefficient at the ReLU is negative; else the line above is missed, and it may."""
    network, generator = NETWORKS[name], np.random.default_rng(17)
    box = unit_box(network, 0.5)
    rows = generator.normal(size=(4, network.output_size))
    search = PhaseBounds(network, box, compute_bounds(network, box), Objectives.separate(rows))
    never = np.full(4, -np.inf)
    parts = search.whole()
    upper = search.bound(parts, 5, never).upper
    halved = 0
    for _ in range(4):
        below = np.where(parts.phase == 0, parts.multiplier, 0.0)
        chosen = np.flatnonzero((below > 0.0).any(axis=1))
        if chosen.size == 0:
            break
        halved += chosen.size
        parts, upper = parts.take(chosen).halves(below[chosen].argmax(axis=1)), np.tile(upper[chosen], 2)
        found = search.bound(parts, 0, never).upper
        assert (found <= upper + 1e-5 * (1.0 + np.abs(upper))).all()
        upper = found
    assert halved or search.neurons.size == 0
