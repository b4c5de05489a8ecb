"""Bounds of f - g with paired neurons: never violated, tight where little was pruned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bound_cases import NETWORKS, exact_preactivations, random_network, unit_box
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from netopt.bounds.crown import crown_bounds
from netopt.bounds.difference import difference_bounds
from netopt.bounds.rows import bound_rows
from netopt.errors import InputError, InvalidOptionError
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine
from netopt.pruning.prune import prune
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope

POINTS = 2000


def ball(network: Network) -> L1Ball:
    n = network.input_size
    return L1Ball(np.linspace(-0.5, 0.5, n), 1.5, np.full(n, -1.0), np.full(n, 1.0))


def polytope(network: Network) -> Polytope:
    n = network.input_size
    return Polytope(np.ones((1, n)), [-0.3], [0.4], np.full(n, -1.0), np.full(n, 0.8))


DOMAINS = {"box": unit_box, "small": lambda network: unit_box(network, 0.05), "ball": ball, "polytope": polytope}


def rows_of(network: Network, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(3, network.output_size)), generator.normal(size=(3, network.input_size))


def perturbed(network: Network, seed: int, size: float) -> Network:
    """Return a network whose weights and biases all moved: not a pruned one."""
    generator = np.random.default_rng(seed)
    nodes = []
    for node in network.nodes:
        if isinstance(node, Affine):
            maps = tuple(m.scale_rows(1.0 + size * generator.normal(size=m.out_size)) for m in node.maps)
            node = replace(node, maps=maps, bias=node.bias + size * generator.normal(size=node.size))
        nodes.append(node)
    return network.with_nodes(tuple(nodes))


def check(dense: Network, sparse_network: Network, domain: Domain, points: np.ndarray, level: str = "crown") -> None:
    """Check every bound the differences offer at points of the domain."""
    found = difference_bounds(dense, sparse_network, domain, level=level)
    values, others = dense.forward(points), sparse_network.forward(points)
    assert (found.output_lower <= values - others).all()
    assert (values - others <= found.output_upper).all()
    before, beside = dense.preactivations(points), sparse_network.preactivations(points)
    for name in found.lower:
        assert (found.lower[name] <= before[name] - beside[name]).all()
        assert (before[name] - beside[name] <= found.upper[name]).all()
    rows, inputs = rows_of(dense)
    above = found.upper_functions(rows)
    wanted = (values - others) @ rows.T
    rounding = 1e-13 * (1.0 + np.abs(points) @ np.abs(above.coefficients).T)
    assert (wanted <= above.bound).all()
    assert (wanted <= points @ above.coefficients.T + above.constant + rounding).all()
    kept = found.sparse_functions(rows, sparse.csr_array(inputs))
    total = np.broadcast_to(kept.constant, wanted.shape)
    for name, matrix in kept.coefficients.items():
        value = points if name == INPUT else np.maximum(beside[name], 0.0)
        total = total + value @ matrix.T
    assert (values @ rows.T + points @ inputs.T <= total + 1e-13 * (1.0 + np.abs(total))).all()


@pytest.mark.parametrize("kind", DOMAINS)
@pytest.mark.parametrize("name", NETWORKS)
def test_samples_never_violate_the_bounds(name: str, kind: str) -> None:
    dense = NETWORKS[name]
    domain = DOMAINS[kind](dense)
    points = domain.sample(np.random.default_rng(7), POINTS)
    for method, rate in (("magnitude", 0.2), ("domain-aware", 0.5), ("random", 0.8), ("domain-aware", 0.95)):
        for fold in (True, False):
            check(dense, prune(dense, method, rate, domain=domain, fold=fold).network, domain, points)
    check(dense, perturbed(dense, 3, 0.1), domain, points)
    check(dense, prune(dense, "domain-aware", 0.4, domain=domain).network, domain, points, "interval")


@given(
    seed=st.integers(0, 10**6),
    weight_scale=st.sampled_from([1e-200, 1e-20, 1.0, 1e20, 1e100]),
    input_scale=st.sampled_from([1e-100, 1.0, 1e80]),
    radius=st.sampled_from([0.0, 1e-6, 1.0]),
)
@settings(max_examples=60)
def test_bounds_are_sound_at_any_scale(seed: int, weight_scale: float, input_scale: float, radius: float) -> None:
    generator = np.random.default_rng(seed)
    dense = random_network(seed, (2, 4, 3, 2), weight_scale)
    center = generator.normal(size=2) * input_scale
    box = Box(center - radius * input_scale, center + radius * input_scale)
    other = prune(dense, "random", 0.5, seed=seed).network
    found = difference_bounds(dense, other, box)
    both = np.concatenate([np.eye(2), -np.eye(2)])
    bound = found.upper_functions(both).bound
    for x in box.sample(generator, 3):
        exact, beside = (exact_preactivations(network, x)[network.output] for network in (dense, other))
        for k in range(2):
            difference = exact[k] - beside[k]
            assert bound[k] == np.inf or difference <= bound[k]
            assert bound[2 + k] == np.inf or -difference <= bound[2 + k]
            assert found.output_upper[k] == np.inf or difference <= found.output_upper[k]
            assert found.output_lower[k] == -np.inf or difference >= found.output_lower[k]


@pytest.mark.parametrize("name", NETWORKS)
def test_equal_networks_differ_by_rounding_only(name: str) -> None:
    network = NETWORKS[name]
    found = difference_bounds(network, network, unit_box(network))
    assert np.abs(found.output_upper).max() < 1e-10
    assert np.abs(found.output_lower).max() < 1e-10
    above = found.upper_functions(rows_of(network)[0])
    assert np.abs(above.bound).max() < 1e-9
    assert np.abs(above.coefficients).max() < 1e-10
    rows, inputs = rows_of(network)
    kept = found.sparse_functions(rows, inputs)
    points = unit_box(network).sample(np.random.default_rng(0), 200)
    neurons = network.preactivations(points)
    total = kept.constant + sum(
        (points if name == INPUT else np.maximum(neurons[name], 0.0)) @ matrix.T
        for name, matrix in kept.coefficients.items()
    )
    np.testing.assert_allclose(total, network.forward(points) @ rows.T + points @ inputs.T, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_at_a_point_the_bounds_are_the_difference(name: str) -> None:
    dense = NETWORKS[name]
    point = np.random.default_rng(5).normal(size=dense.input_size)
    box = Box(point, point)
    other = prune(dense, "random", 0.5, seed=2).network
    found = difference_bounds(dense, other, box)
    difference = dense.forward(point) - other.forward(point)
    np.testing.assert_allclose(found.output_lower, difference, atol=1e-9)
    np.testing.assert_allclose(found.output_upper, difference, atol=1e-9)


@pytest.mark.parametrize("name", ["perceptron", "deep", "residual", "convolutional"])
def test_pairing_beats_bounding_apart(name: str) -> None:
    dense = NETWORKS[name]
    domain = unit_box(dense, 0.3)
    other = prune(dense, "domain-aware", 0.3, domain=domain).network
    rows, _ = rows_of(dense)
    apart = bound_rows(dense, domain, crown_bounds(dense, domain), rows)
    apart = apart + bound_rows(other, domain, crown_bounds(other, domain), -rows)
    paired = difference_bounds(dense, other, domain).upper_functions(rows).bound
    assert (paired < 0.5 * apart).all()


def test_crown_is_not_looser_than_interval_and_stops_at_the_deadline() -> None:
    dense = NETWORKS["deep"]
    domain = unit_box(dense, 0.5)
    other = prune(dense, "magnitude", 0.3).network
    interval = difference_bounds(dense, other, domain, level="interval")
    crown = difference_bounds(dense, other, domain)
    late = difference_bounds(
        dense, other, domain, crown_bounds(dense, domain), crown_bounds(other, domain), deadline=0.0
    )
    assert (crown.level, interval.level, late.level) == ("crown", "interval", "interval")
    for name in crown.lower:
        assert (crown.upper[name] - crown.lower[name] <= interval.upper[name] - interval.lower[name] + 1e-12).all()
        np.testing.assert_array_equal(late.upper[name], interval.upper[name])


def test_unpaired_networks_and_wrong_rows_are_refused() -> None:
    dense = random_network(0)
    domain = unit_box(dense)
    with pytest.raises(InputError, match="prune the dense network without reducing it"):
        difference_bounds(dense, random_network(0, (4, 7, 5, 3)), domain)
    with pytest.raises(InputError, match="differences need two networks with the same nodes"):
        difference_bounds(dense, random_network(0, (4, 7, 3)), domain)
    with pytest.raises(InvalidOptionError, match="unknown level 'lp'"):
        difference_bounds(dense, dense, domain, level="lp")
    with pytest.raises(InputError, match="compute them for this network"):
        difference_bounds(dense, dense, domain, crown_bounds(random_network(1), domain))
    with pytest.raises(InputError, match=r"need a matrix \(rows, 3\)"):
        difference_bounds(dense, dense, domain).upper_functions(np.ones((1, 2)))
