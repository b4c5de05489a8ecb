"""The network of a domain's unstable neurons: equal to the whole within its stated error, its bounds sound."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from bound_cases import NETWORKS, unit_box
from hypothesis import given, settings
from hypothesis import strategies as st

from netopt.bounds.compute import compute_bounds
from netopt.bounds.condensed import searching_products
from netopt.bounds.inputs import as_inputs
from netopt.bounds.propagation import Propagation, propagate
from netopt.bounds.unstable_network import unstable_network, unstable_neurons, unstable_products
from netopt.network.build import from_weights
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball


def state_over(network: Network, domain: Domain) -> Propagation:
    """Return CROWN's bounds of every node."""
    return propagate(network, as_inputs(network, domain), compute_bounds(network, domain).pairs)


@pytest.mark.parametrize("name", sorted(NETWORKS))
@given(seed=st.integers(0, 10**6), ball=st.booleans(), radius=st.sampled_from([0.0, 0.05, 0.5, 3.0]))
@settings(max_examples=8)
def test_it_is_the_network_over_the_domain(name: str, seed: int, ball: bool, radius: float) -> None:
    network = NETWORKS[name]
    box = unit_box(network, radius)
    middle = (box.lower + box.upper) / 2.0
    domain = L1Ball(middle, 0.8, box.lower, box.upper) if ball else box
    state = state_over(network, domain)
    neurons = unstable_neurons(state)
    small = unstable_network(state, neurons)
    points = domain.sample(np.random.default_rng(seed), 50)
    expected, found = network.forward(points), small.network.forward(points)
    assert np.allclose(found, expected, rtol=1e-12, atol=1e-12 * (1.0 + np.abs(expected).max()))
    before, own = network.preactivations(points), small.network.preactivations(points)
    assert set(own) == {relu for relu, some in neurons.items() if some.size}
    for relu, value in own.items():
        size = 1.0 + np.abs(before[relu]).max()
        assert np.allclose(value, before[relu][:, neurons[relu]], rtol=1e-12, atol=1e-12 * size)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_its_bounds_hold_for_the_network(name: str) -> None:
    network = NETWORKS[name]
    box = unit_box(network, 0.4)
    state = state_over(network, box)
    neurons = unstable_neurons(state)
    small = unstable_network(state, neurons)
    own = propagate(small.network, as_inputs(small.network, box), {}, small.error)
    points = np.concatenate([box.sample(np.random.default_rng(1), 2000), box.lower[None], box.upper[None]])
    for relu, value in network.preactivations(points).items():
        if neurons[relu].size:
            name = f"{relu}.unstable"
            assert (value[:, neurons[relu]] >= own.lower[name]).all()
            assert (value[:, neurons[relu]] <= own.upper[name]).all()
    outputs = network.forward(points)
    assert (outputs >= own.lower[small.network.output]).all()
    assert (outputs <= own.upper[small.network.output]).all()


@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-3, 1.0, 1e6]))
@settings(max_examples=25)
def test_the_error_covers_exact_arithmetic(seed: int, scale: float) -> None:
    """At a corner, in rational numbers, every Affine is as far from the network's as stated, or less."""
    generator = np.random.default_rng(seed)
    sizes = [2, 4, 4, 4, 1]
    network = from_weights(
        [scale * generator.normal(size=(k, n)) for n, k in pairwise(sizes)],
        [scale * generator.normal(size=k) for k in sizes[1:]],
    )
    box = Box.ball(generator.normal(size=2), 0.1)
    state = state_over(network, box)
    small = unstable_network(state, unstable_neurons(state))
    corner = np.where(generator.random(2) < 0.5, box.lower, box.upper)
    exact = exact_values(network, corner)
    for affine in small.network.affines:
        target = affine.name.removesuffix(".unstable").removesuffix(".value")
        neurons = unstable_neurons(state)
        whole = exact[network[target].input] if affine.name.endswith(".unstable") else exact[target]
        chosen = [whole[k] for k in neurons[target]] if affine.name.endswith(".unstable") else whole
        sources = {
            source: exact[source] if source == INPUT else [exact[source][k] for k in neurons[source]]
            for source in affine.inputs
        }
        for wanted, found, error in zip(chosen, exact_affine(affine, sources), small.error[affine.name], strict=True):
            assert abs(wanted - found) <= Fraction(float(error))


def exact_values(network: Network, point: np.ndarray) -> dict[str, list[Fraction]]:
    """Return every node's values in rational arithmetic."""
    values = {INPUT: [Fraction(float(x)) for x in point]}
    for node in network.nodes:
        if isinstance(node, Affine):
            values[node.name] = exact_affine(node, values)
        else:
            values[node.name] = [max(value, Fraction(0)) for value in values[node.input]]
    return values


def exact_affine(node: Affine, values: Mapping[str, list[Fraction]]) -> list[Fraction]:
    """Return an Affine's values in rational arithmetic."""
    total = [Fraction(float(b)) for b in node.bias]
    for source, linear_map in zip(node.inputs, node.maps, strict=True):
        for i, row in enumerate(linear_map.rows(np.arange(node.size))):
            total[i] += sum((Fraction(float(w)) * v for w, v in zip(row, values[source], strict=True)), Fraction(0))
    return total


def test_nothing_unstable_leaves_one_affine() -> None:
    network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[5.0, -5.0], [0.0]])
    box = Box(np.array([-1.0]), np.array([1.0]))
    state = state_over(network, box)
    neurons = unstable_neurons(state)
    small = unstable_network(state, neurons)
    assert unstable_products(state.network, neurons) == 1
    assert [type(node).__name__ for node in small.network.nodes] == ["Affine"]
    assert small.network.forward([0.25]).tolist() == network.forward([0.25]).tolist() == [5.25]


@pytest.mark.parametrize(("bias", "condensing", "one_pass"), [(5.0, 0.0, 1.0), (0.5, 0.0, 4.0)])
def test_a_pass_through_the_condensed_network_counts_where_that_is_smaller(
    bias: float, condensing: float, one_pass: float
) -> None:
    network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[bias, -bias], [0.0]])
    box = Box(np.array([-1.0]), np.array([1.0]))
    assert searching_products(network, compute_bounds(network, box)) == (condensing, one_pass)


def test_condensing_takes_a_pass_for_every_unstable_neuron() -> None:
    layers = [np.ones((20, 1)), np.eye(20), np.ones((1, 20))]
    network = from_weights(layers, [np.r_[0.0, np.full(19, 5.0)], np.ones(20), np.zeros(1)])
    box = Box(np.array([-1.0]), np.array([1.0]))
    bounds = compute_bounds(network, box)
    assert bounds.unstable_count == 1
    assert searching_products(network, bounds) == (20.0 + 400.0 + 20.0, 1.0 + 2.0)
