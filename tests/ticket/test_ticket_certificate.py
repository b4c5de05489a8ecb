from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ticket_cases import TARGETS, box_of, found_for, perceptron

from netopt.bounds.compute import compute_bounds
from netopt.network.gradient import value_and_gradient
from netopt.network.network import Network
from netopt.problems.worst_difference import difference_network, worst_difference
from netopt.specification.box import Box
from netopt.ticket.certificate import certify


def _climb(network: Network, domain: Box, output: int, sign: float, seed: int) -> float:
    """Return the largest value that projected gradient ascent from random points and corners finds."""
    generator = np.random.default_rng(seed)
    x = generator.uniform(domain.lower, domain.upper, size=(8, domain.dimension))
    x[:4] = np.where(generator.random(x[:4].shape) < 0.5, domain.lower, domain.upper)
    best = -np.inf
    for step in np.geomspace(0.5, 0.02, 12):
        y, gradient = value_and_gradient(network, x, np.tile(sign * np.eye(network.output_size)[output], (8, 1)))
        best = max(best, float((sign * y[:, output]).max()))
        x = np.clip(x + step * np.sign(gradient), domain.lower, domain.upper)
    return best


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(("lower", "dimension"), [(-1.0, None), (0.0, None), (0.0, 1)])
def test_no_sampled_or_adversarial_input_breaks_the_certificate(name: str, lower: float, dimension: int | None) -> None:
    target = TARGETS[name]()
    domain = box_of(target, lower)
    found = found_for(target, domain, width=6 if dimension is None else 3, dimension=dimension)
    certificate = certify(found, domain, compute_bounds(target, domain))
    count = 10_000 if target.input_size < 10 else 1000
    x = np.random.default_rng(0).uniform(domain.lower, domain.upper, size=(count, target.input_size))
    assert (np.abs(found.network.forward(x) - target.forward(x)) <= certificate.output).all()
    network = difference_network(target, found.network)
    for output in range(target.output_size):
        for sign in (1.0, -1.0):
            assert _climb(network, domain, output, sign, seed=output) <= certificate.output[output]
    for level in ("interval", "crown"):
        assert (certify(found, domain, compute_bounds(target, domain), level=level).output > 0.0).all()


@given(st.integers(0, 10**6), st.sampled_from([-1.0, 0.0]))
@settings(max_examples=15)
def test_the_certificate_holds_node_by_node(seed: int, lower: float) -> None:
    generator = np.random.default_rng(seed)
    target = perceptron(seed, (2, int(generator.integers(1, 5)), int(generator.integers(1, 5)), 2), bias=0.5)
    domain = box_of(target, lower)
    found = found_for(target, domain, width=int(generator.integers(1, 80)), seed=seed)
    certificate = certify(found, domain, compute_bounds(target, domain))
    x = generator.uniform(domain.lower, domain.upper, size=(2000, 2))
    ours, theirs = found.network.preactivations(x), target.preactivations(x)
    for layer, relu in zip(certificate.layers, target.relus, strict=False):
        off = np.abs(ours[relu.name] / found.scales[relu.name] - theirs[relu.name]).max()
        assert off <= layer.total * (1.0 + 1e-12) + 1e-12
    assert (np.abs(found.network.forward(x) - target.forward(x)) <= certificate.output).all()


def test_one_layer_is_certified_tightly() -> None:
    """Without ReLUs the layer's bound is attained: all errors count with one sign at a corner."""
    target = perceptron(3, (4, 2))
    domain = box_of(target, 0.0)
    found = found_for(target, domain, width=30)
    certificate = certify(found, domain, compute_bounds(target, domain))
    corners = np.array(np.meshgrid(*[[0.0, 1.0]] * 4)).reshape(4, -1).T
    worst = np.abs(found.network.forward(corners) - target.forward(corners)).max(axis=0)
    assert certificate.output == pytest.approx(worst, rel=1e-6)
    (layer,) = certificate.layers
    assert 0.0 < layer.entry <= layer.layer <= layer.total


@pytest.mark.parametrize("lower", [-1.0, 0.0])
def test_the_proven_worst_case_lies_between_what_is_found_and_the_certificate(lower: float) -> None:
    target = perceptron(2, (2, 3, 1))
    domain = box_of(target, lower)
    found = found_for(target, domain, width=10)
    certificate = certify(found, domain, compute_bounds(target, domain))
    worst = worst_difference(target, found.network, domain, time_limit=60.0)
    x = np.random.default_rng(0).uniform(domain.lower, domain.upper, size=(20_000, 2))
    assert worst.proven
    assert np.abs(found.network.forward(x) - target.forward(x)).max() <= worst.value * (1.0 + 1e-3) + 1e-6
    assert worst.value <= worst.bound <= certificate.output.max() * (1.0 + 1e-3) + 1e-5
    known = worst_difference(target, found.network, domain, known=certificate.output, time_limit=60.0)
    assert known.value == pytest.approx(worst.value, abs=1e-4)
