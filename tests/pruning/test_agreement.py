"""Networks that agree on average over a sample, the samples, and the factors that masks hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bound_cases import random_network, unit_box
from hypothesis import given, settings
from hypothesis import strategies as st
from pruned_cases import ALL, values_of
from scipy import sparse

from netopt.errors import InvalidOptionError
from netopt.network.nodes import Affine
from netopt.pruning.agree import agree, agree_at
from netopt.pruning.apply import apply_mask
from netopt.pruning.prune import prune
from netopt.pruning.sample import Sample, draw_sample
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.integer import IntegerPoints
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope

METHODS = ["ticket", "ticket-rescaled", "ticket-priced"]


@pytest.mark.parametrize("domain", ["box", "ball", "polytope", "integer", "point"])
def test_samples_are_members_whose_groups_count_alike(domain: str) -> None:
    network = random_network(3, (6, 12, 8, 2))
    box = unit_box(network)
    given_domain: Domain = {
        "box": box,
        "ball": L1Ball(np.zeros(6), 0.7, np.full(6, -1.0), np.ones(6)),
        "polytope": Polytope(sparse.csr_array(np.ones((1, 6))), np.array([-1.0]), np.ones(1), box.lower, box.upper),
        "integer": IntegerPoints(Box(np.full(6, -2.0), np.full(6, 3.0)), np.arange(6) < 3),
        "point": Box(np.full(6, 0.3), np.full(6, 0.3)),
    }[domain]
    sample = draw_sample(network, given_domain, np.random.default_rng(0))
    assert given_domain.contains(sample.points, 1e-9).all()
    assert sample.weights.sum() == pytest.approx(1.0)
    assert (sample.weights > 0.0).all()
    spread, ends = np.split(network.forward(sample.points), 2)
    weights = np.split(sample.weights, 2)
    variances = [
        (np.square(y - y.mean(axis=0)).sum(axis=1) * w).sum() for y, w in zip((spread, ends), weights, strict=True)
    ]
    assert variances[0] == pytest.approx(variances[1])
    if domain == "point":
        for method in METHODS:
            pruned = prune(network, method, 0.5, domain=given_domain).network
            np.testing.assert_allclose(
                pruned.forward(given_domain.center), network.forward(given_domain.center), rtol=1e-9
            )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ALL)
def test_both_networks_agree_on_average_neuron_by_neuron(name: str, method: str) -> None:
    network, box = ALL[name], unit_box(ALL[name])
    pruned = prune(network, method, 0.6, domain=box, seed=7).network
    sample = draw_sample(network, box, np.random.default_rng(7))
    dense, thin = values_of(network, sample.points), values_of(pruned, sample.points)
    for node in network.affines:
        size = max(float(np.abs(dense[node.name]).max()), 1.0)
        np.testing.assert_allclose(sample.mean(thin[node.name]), sample.mean(dense[node.name]), atol=1e-11 * size)


def test_a_network_agrees_with_itself_bit_by_bit() -> None:
    for network in ALL.values():
        sample = draw_sample(network, unit_box(network), np.random.default_rng(0))
        same, factors = agree(network, network, sample)
        assert not factors
        assert all(np.array_equal(a.bias, b.bias) for a, b in zip(same.affines, network.affines, strict=True))


@given(st.integers(0, 2**16), st.floats(0.1, 0.9))
@settings(max_examples=25)
def test_agreement_at_a_point_survives_any_mask_and_any_factor(seed: int, rate: float) -> None:
    network = random_network(seed, (5, 9, 8, 3))
    x = np.random.default_rng(seed).normal(size=5)
    sparse_network = prune(network, "random", rate, seed=seed).network
    scaled = sparse_network.with_nodes(
        tuple(
            replace(node, maps=tuple(m.scale_rows(np.full(m.out_size, 1.7)) for m in node.maps))
            if isinstance(node, Affine)
            else node
            for node in sparse_network.nodes
        )
    )
    np.testing.assert_allclose(agree_at(network, scaled, x).forward(x), network.forward(x), rtol=1e-9, atol=1e-9)


def test_the_mask_holds_the_factors() -> None:
    network = random_network(2, (6, 30, 20, 2))
    box = unit_box(network)
    pruned = prune(network, "ticket-rescaled", 0.7, domain=box)
    for found, again in zip(pruned.network.affines, apply_mask(network, pruned.mask).affines, strict=True):
        np.testing.assert_array_equal(found.maps[0].to_csr().toarray(), again.maps[0].to_csr().toarray())
    masked = apply_mask(network, replace(pruned.mask, factors={}))
    ratios = []
    for found, plain in zip(pruned.network.affines, masked.affines, strict=True):
        first, second = found.maps[0].to_csr().toarray(), plain.maps[0].to_csr().toarray()
        ratio = first[second != 0.0] / second[second != 0.0]
        np.testing.assert_allclose(ratio, ratio[0])
        ratios.append(ratio[0])
    assert ratios[0] == 1.0  # nothing is lost before the first layer
    assert ratios[1] > 1.0
    assert ratios[2] > 1.0
    assert pruned.mask.factors == pytest.approx(
        dict(zip(("layer2.affine", "output.affine"), ratios[1:], strict=True)), rel=1e-12
    )


def test_averages_count_on_a_domain_and_on_folding() -> None:
    network = random_network(1)
    for method in METHODS:
        with pytest.raises(InvalidOptionError, match="give a domain"):
            prune(network, method, 0.5)
        with pytest.raises(InvalidOptionError, match="counts on folded averages; leave fold=False out"):
            prune(network, method, 0.5, domain=unit_box(network), fold=False)


def test_weights_of_a_sample_make_averages() -> None:
    sample = Sample(np.array([[0.0], [1.0]]), np.array([0.25, 0.75]))
    assert sample.mean(np.array([[4.0], [8.0]])).tolist() == [7.0]
