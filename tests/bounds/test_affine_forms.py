"""Affine forms: they hold what the network computes, in floating point and exactly, however they are carried."""

from __future__ import annotations

import itertools
import time
from fractions import Fraction

import numpy as np
import pytest
from bound_cases import NETWORKS, assert_inside, assert_no_looser, random_network, samples_and_corners, unit_box
from image_networks import residual_images, small_box

from netopt.bounds import affine_forms, crown
from netopt.bounds.affine_forms import AffineForms
from netopt.bounds.crown import crown_bounds
from netopt.bounds.inputs import as_inputs
from netopt.bounds.interval import interval_bounds
from netopt.bounds.products import Products
from netopt.bounds.propagation import Propagation, propagate
from netopt.bounds.relaxation import Relaxation, relax
from netopt.network.build import from_weights
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball

CASES = {
    **{name: (network, unit_box(network, 0.3)) for name, network in NETWORKS.items()},
    "point": (NETWORKS["residual"], unit_box(NETWORKS["residual"], 0.0)),
    "huge": (random_network(5, scale=1e12), unit_box(NETWORKS["perceptron"], 1e3)),
    "images": (residual_images(0), small_box(residual_images(0))),
    "stable images": (residual_images(1), small_box(residual_images(1), 1e-6)),
}


def bounded(network: Network, domain: Box, asked: set[str] | None = None) -> Propagation:
    """Return bounds by affine forms of the Affines asked for, None for all, and intervals of the others."""
    state, relaxations = Propagation(network, as_inputs(network, domain)), dict[str, Relaxation]()
    forms = AffineForms(state, relaxations, Products(network))
    for node in network.nodes:
        if isinstance(node, Relu):
            relaxations[node.name] = relax(state.lower[node.input], state.upper[node.input])
            state.relu(node)
            continue
        state.affine(node)
        if asked is None or node.name in asked:
            assert forms.tighten(node, None)
    return state


def assert_contains(network: Network, state: Propagation, domain: Box) -> None:
    points = domain.sample(np.random.default_rng(0), 300)
    points = np.concatenate([points, np.where(points > domain.center, domain.upper, domain.lower)])
    values, output = network.preactivations(points), network.forward(points)
    for relu in network.relus:
        assert (values[relu.name] >= state.lower[relu.input][0]).all()
        assert (values[relu.name] <= state.upper[relu.input][0]).all()
    assert (output >= state.lower[network.output][0]).all()
    assert (output <= state.upper[network.output][0]).all()


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("kept", [0, 2**26])
@pytest.mark.parametrize("name", sorted(CASES))
def test_forms_hold_every_value(name: str, kept: int, moved: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept between layers or started anew, rounding left as it is or moved to epsilons."""
    monkeypatch.setattr(affine_forms, "_KEPT", kept)
    if moved:
        monkeypatch.setattr(affine_forms, "_NOTICED", -1.0)
        monkeypatch.setattr(affine_forms, "_MORE", np.inf)
    network, domain = CASES[name]
    state = bounded(network, domain)
    assert_contains(network, state, domain)
    interval = propagate(network, state.inputs, {})
    for node in network.affines:
        assert (state.lower[node.name] >= interval.lower[node.name]).all()
        assert (state.upper[node.name] <= interval.upper[node.name]).all()
    monkeypatch.setattr(affine_forms, "_KEPT", 2**26 - kept)
    other = bounded(network, domain)
    for node in network.affines:
        np.testing.assert_allclose(state.upper[node.name], other.upper[node.name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["deep", "residual", "convolutional", "images"])
def test_layers_may_be_passed_over(name: str) -> None:
    network, domain = CASES[name]
    names = [node.name for node in network.affines]
    for asked in ({names[-1]}, {names[1], names[-1]}, set(names[::2])):
        assert_contains(network, bounded(network, domain, asked), domain)


def test_stable_networks_have_exact_bounds() -> None:
    """Where no ReLU is unstable, the function is linear: its range is that between two corners."""
    network, domain = CASES["stable images"]
    state = bounded(network, domain)
    jacobian = _jacobian(network, domain.center)
    radius = np.abs(jacobian) @ ((domain.upper - domain.lower) / 2.0)
    value = network.forward(domain.center[None])[0]
    np.testing.assert_allclose(state.upper[network.output][0], value + radius, rtol=1e-8)
    np.testing.assert_allclose(state.lower[network.output][0], value - radius, rtol=1e-8)
    interval = propagate(network, state.inputs, {})
    width = interval.upper[network.output] - interval.lower[network.output]
    assert (width > 4.0 * (state.upper[network.output] - state.lower[network.output])).all()


def _jacobian(network: Network, point: np.ndarray) -> np.ndarray:
    active = {name: values[0] > 0.0 for name, values in network.preactivations(point[None]).items()}
    columns = {INPUT: np.eye(point.size)}
    for node in network.nodes:
        if isinstance(node, Affine):
            columns[node.name] = sum(m.apply(columns[s]) for s, m in zip(node.inputs, node.maps, strict=True))
        else:
            columns[node.name] = columns[node.input] * active[node.name]
    return columns[network.output].T


@pytest.mark.parametrize("scale", [1e-170, 1e-60, 1e-9, 1.0, 1e9, 1e90])
def test_forms_hold_exact_values(scale: float) -> None:
    """Rational arithmetic at corners and in the middle, with underflow and cancellation."""
    sizes = (3, 6, 6, 6, 2)
    generator = np.random.default_rng(7)
    weights = [generator.normal(size=(o, i)) * scale for i, o in itertools.pairwise(sizes)]
    weights[1][:, 0], weights[2][0] = -weights[1][:, 1] * (1.0 + 2.0**-50), 0.0
    biases = [generator.normal(size=o) * scale for o in sizes[1:]]
    network = from_weights(weights, biases)
    domain = Box(np.array([-1.0, 0.3, 0.0]), np.array([1.0, 0.3 + 1e-9, 0.0]))
    state = bounded(network, domain)
    for ends in itertools.product(*zip(domain.lower, domain.center, domain.upper, strict=True)):
        value = [Fraction(float(end)) for end in ends]
        for node, weight, bias in zip(network.affines, weights, biases, strict=True):
            value = [_exact(row, value, constant) for row, constant in zip(weight, bias, strict=True)]
            ranges = zip(state.lower[node.name][0], value, state.upper[node.name][0], strict=True)
            for low, exact, high in ranges:
                assert low == -np.inf or Fraction(low) <= exact
                assert high == np.inf or exact <= Fraction(high)
            value = [max(entry, Fraction(0)) for entry in value]


def _exact(row: np.ndarray, value: list[Fraction], constant: float) -> Fraction:
    terms = (Fraction(float(w)) * v for w, v in zip(row, value, strict=True))
    return sum(terms, start=Fraction(float(constant)))


def test_overflow_leaves_the_intervals() -> None:
    network = random_network(0, (2, 4, 4, 4, 1), scale=1e150)
    domain = Box(np.full(2, -1e10), np.full(2, 1e10))
    state = bounded(network, domain)
    assert np.isinf(state.upper[network.output]).all()
    assert not any(np.isnan([state.lower[node.name], state.upper[node.name]]).any() for node in network.affines)


def test_deep_networks_lose_nothing_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding grows by the sums of absolute weights from layer to layer; epsilons let it cancel."""
    generator = np.random.default_rng(1)
    size, depth = 24, 24
    turns = [np.linalg.qr(generator.normal(size=(size, size)))[0] for _ in range(depth)]
    network = from_weights(turns, [np.full(size, 40.0)] * depth)
    centre = generator.normal(size=size)
    domain = Box(centre - 1e-4, centre + 1e-4)
    tight = bounded(network, domain)
    assert_contains(network, tight, domain)
    monkeypatch.setattr(affine_forms, "_NOTICED", np.inf)
    loose = bounded(network, domain)
    widths = [float((s.upper[network.output] - s.lower[network.output]).max()) for s in (tight, loose)]
    assert widths[1] > 10.0 * widths[0]


@pytest.mark.parametrize("name", ["deep", "residual", "convolutional", "images"])
def test_crown_with_forms_is_nowhere_looser(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, domain = CASES[name]
    plain = crown_bounds(network, domain)
    monkeypatch.setattr(crown, "_DEAR", 0)
    monkeypatch.setattr(crown, "_SLOWER", np.inf)
    both = crown_bounds(network, domain)
    assert both.level == "crown"
    assert both.unstable_count <= plain.unstable_count
    points = domain.sample(np.random.default_rng(0), 300)
    for relu_name, values in network.preactivations(points).items():
        assert (values >= both.lower[relu_name]).all()
        assert (values <= both.upper[relu_name]).all()
    late = crown_bounds(network, domain, deadline=time.monotonic() - 1.0)
    assert late.level == "interval"


def test_wide_layers_are_bounded_from_few_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four inputs and some dozen unstable neurons through 600 x 600 weights instead of 600 rows, three times."""
    network = random_network(2, (4, 600, 600, 600, 2))
    asked = []
    tighten = AffineForms.tighten

    def noted(forms: AffineForms, node: Affine, deadline: float | None) -> bool:
        asked.append(node.name)
        return tighten(forms, node, deadline)

    monkeypatch.setattr(AffineForms, "tighten", noted)
    crown_bounds(network, unit_box(network, 0.01))
    assert asked
    asked.clear()
    crown_bounds(random_network(2, (4, 60, 60, 60, 2)), unit_box(network, 0.01))
    assert not asked


def test_only_single_boxes_have_forms() -> None:
    network = NETWORKS["perceptron"]
    box = unit_box(network)
    ball = L1Ball(box.center, 0.5, box.lower, box.upper)
    assert AffineForms.fit(Propagation(network, as_inputs(network, box)))
    assert not AffineForms.fit(Propagation(network, as_inputs(network, ball)))


@pytest.mark.parametrize("forms", [False, True])
@pytest.mark.parametrize("name", sorted(CASES))
def test_outputs_that_are_not_carried_as_rows_are_bounded(
    name: str, forms: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crown, "_DEAR", 0 if forms else np.inf)
    monkeypatch.setattr(crown, "_SLOWER", np.inf)
    network, domain = CASES[name]
    whole, less = crown_bounds(network, domain), crown_bounds(network, domain, output_rows=False)
    assert less.level == "crown"
    assert_inside(network, less, samples_and_corners(domain))
    assert_no_looser(whole, less)
    assert_no_looser(less, whole)  # the neurons' bounds are the same
    assert (less.output_lower <= whole.output_lower).all()
    assert (less.output_upper >= whole.output_upper).all()
    interval = interval_bounds(network, domain)
    assert (less.output_upper <= interval.output_upper).all()
