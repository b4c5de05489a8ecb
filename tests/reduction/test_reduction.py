"""Reduced networks against the given ones: values, carried bounds, optima; each kind of reduction by itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reduction_cases import KINDS, magnitude, random_network, reduced
from scipy import sparse

from formulations.registry import parse_formulation
from netopt.bounds.compute import compute_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.engines.engine import Maximization
from netopt.engines.milp import MilpEngine
from netopt.engines.model_size import model_size
from netopt.engines.objective import SlackObjective
from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.network.convolution import Convolution
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Relu
from netopt.network.sparse import Sparse
from netopt.reduction import Reduction, reduce_network
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.registry import get_solver
from netopt.solvers.result import Termination
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball

#: With these a convolution of the small test networks stays one unless little of it is left.
CONVOLUTIONS_STAY = ("netopt.reduction.convolutions._SMALL", 0)

ENGINE = MilpEngine(get_solver("highs"), parse_formulation("big-m"))


def check_equal(network: Network, domain: Domain, reduction: Reduction, generator: np.random.Generator) -> None:
    """Compare values, and carried bounds with what is reached, at random points and at corners."""
    points = domain.sample(generator, 60)
    corners = np.where(generator.random((20, network.input_size)) < 0.5, domain.lower, domain.upper)
    points = np.concatenate([points, domain.project(corners)])
    smaller, bounds = reduction.network, reduction.bounds
    output = smaller.forward(points)
    np.testing.assert_allclose(output, network.forward(points), rtol=0.0, atol=1e-12 * magnitude(network, points))
    assert ((output >= bounds.output_lower) & (output <= bounds.output_upper)).all()
    values = smaller.preactivations(points)
    given_values = network.preactivations(points)
    for name, value in values.items():
        assert ((value >= bounds.lower[name]) & (value <= bounds.upper[name])).all()
        assert reduction.kept[name].shape == (value.shape[1],)
        np.testing.assert_allclose(
            value, given_values[name][:, reduction.kept[name]], rtol=0.0, atol=1e-12 * magnitude(network, points)
        )
    bounds.require(smaller)
    assert reduction.after.neurons == smaller.relu_count <= network.relu_count
    assert reduction.before.neurons == network.relu_count
    assert (smaller.input_size, smaller.output_size) == (network.input_size, network.output_size)


def random_box(generator: np.random.Generator, size: int) -> Box:
    """Return a box with fixed inputs now and then, sometimes a point."""
    center = generator.normal(size=size)
    single = generator.choice([0.0, 0.05, 0.5, 2.0])
    radius = np.full(size, single) if generator.random() < 0.5 else generator.choice([0.0, 0.5, 2.0], size=size)
    return Box(center - radius, center + radius)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.integers(0, 10**6),
    st.sampled_from([1.0, 1.0, 1e-3, 1e3, 1e-100, 1e60]),
    st.sampled_from(["interval", "crown"]),
    st.booleans(),
)
def test_a_reduced_network_equals_the_given_one(kind: str, seed: int, scale: float, level: str, stay: bool) -> None:
    network = random_network(kind, seed, scale)
    generator = np.random.default_rng(seed)
    box = random_box(generator, network.input_size)
    with pytest.MonkeyPatch.context() as patch:
        if stay:
            patch.setattr(*CONVOLUTIONS_STAY)
        check_equal(network, box, reduced(network, box, level), generator)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10**6))
def test_reducing_again_finds_nothing(kind: str, seed: int) -> None:
    network = random_network(kind, seed)
    box = random_box(np.random.default_rng(seed), network.input_size)
    once = reduced(network, box)
    twice = reduce_network(once.network, box, once.bounds)
    assert twice.after == once.after


@pytest.mark.parametrize("kind", KINDS)
def test_over_an_l1_ball(kind: str) -> None:
    network = random_network(kind, 7)
    n = network.input_size
    ball = L1Ball(np.linspace(-0.5, 0.5, n), 0.7, -np.ones(n), np.concatenate([[-1.0], np.ones(n - 1)]))
    check_equal(network, ball, reduced(network, ball), np.random.default_rng(0))


def optimum(network: Network, box: Box, weights: np.ndarray, bounds: PreactivationBounds) -> float:
    parameters = SolverParameters(relative_gap=0.0, absolute_gap=1e-9, time_limit=60.0)
    answer = ENGINE.maximize(Maximization(network, box, SlackObjective.linear(weights), bounds, parameters))
    assert answer.termination is Termination.OPTIMAL
    assert answer.point is not None
    return answer.dual_bound


@pytest.mark.parametrize(("kind", "seed", "stay"), list(itertools.product(KINDS, range(6), (False, True))))
def test_the_optimum_stays(kind: str, seed: int, stay: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if stay:
        monkeypatch.setattr(*CONVOLUTIONS_STAY)
    network = random_network(kind, seed)
    box = random_box(np.random.default_rng(seed + 100), network.input_size)
    bounds = compute_bounds(network, box)
    reduction = reduce_network(network, box, bounds)
    weights = np.array([1.0, -2.0])
    before = optimum(network, box, weights, bounds)
    after = optimum(reduction.network, box, weights, reduction.bounds)
    assert after == pytest.approx(before, rel=1e-6, abs=1e-6)
    assert model_size(reduction.network, box, reduction.bounds).binaries <= model_size(network, box, bounds).binaries


def unit_box(size: int) -> Box:
    return Box(-np.ones(size), np.ones(size))


def test_constants_fold() -> None:
    network = from_weights([[[0.0, 0.0], [0.0, 3.0]], [[2.0, 1.0]]], [[0.5, 0.0], [1.0]])
    box = Box(np.array([-1.0, 2.0]), np.array([1.0, 2.0]))  # the second input is fixed, the first has no weight
    reduction = reduced(network, box)
    assert reduction.after.neurons == reduction.after.weights == 0
    assert reduction.network.forward([0.3, 2.0]).tolist() == [8.0]
    assert [type(node) for node in reduction.network.nodes] == [Affine]


def test_what_no_output_sees_vanishes() -> None:
    network = from_weights([np.eye(2), [[1.0, 1.0], [1.0, -1.0]], [[1.0, 0.0]]], [[0.1, 0.1], [-0.7, 0.1], [0.0]])
    reduction = reduced(network, unit_box(2))
    assert reduction.kept["layer2.relu"].tolist() == [0]


def test_stable_layers_collapse() -> None:
    generator = np.random.default_rng(0)
    weights = [generator.normal(size=(8, 8)) for _ in range(3)]
    first, second = np.full(8, 10.0), np.full(8, 1000.0)
    centred = -weights[2] @ (weights[1] @ first + second)  # the first two layers are always on, the third is not
    network = from_weights([*weights, generator.normal(size=(2, 8))], [first, second, centred, np.zeros(2)])
    box = Box(-np.full(8, 0.1), np.full(8, 0.1))
    reduction = reduced(network, box)
    assert [relu.name for relu in reduction.network.relus] == ["layer3.relu"]
    assert reduction.before.weights == 3 * 64 + 16
    assert reduction.after.weights <= 64 + 16
    check_equal(network, box, reduction, generator)


def test_active_neurons_stay_where_writing_them_out_costs_more() -> None:
    generator = np.random.default_rng(0)
    wide = from_weights(
        [generator.normal(size=(30, 2)), generator.normal(size=(2, 30)), generator.normal(size=(30, 2))],
        [np.zeros(30), np.full(2, 1e4), np.zeros(30)],
    )
    reduction = reduced(wide, unit_box(2))
    assert reduction.after.active == 2  # 30 x 30 weights instead of 2 x 60
    assert reduction.after.weights <= reduction.before.weights


def test_proportional_neurons_merge() -> None:
    first = [[1.0, 2.0], [3.0, 6.0], [0.1, 0.2], [-1.0, -2.0], [1.0, 2.0]]
    bias = [0.5, 1.5, 0.05, -0.5, 0.6]
    network = from_weights([first, np.ones((1, 5))], [bias, [0.0]])
    reduction = reduced(network, unit_box(2))
    assert reduction.kept["layer1.relu"].tolist() == [1, 3, 4]  # opposite signs and another bias stay apart
    check_equal(network, unit_box(2), reduction, np.random.default_rng(0))


def test_merging_cascades() -> None:
    """Two equal neurons become one, and only then the two neurons that read one of them each are equal."""
    network = from_weights(
        [[[1.0, -1.0], [1.0, -1.0], [1.0, 1.0]], [[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]], [[1.0, -1.0]]],
        [[0.0, 0.0, 0.0], [0.1, 0.1], [3.0]],
    )
    reduction = reduced(network, unit_box(2))
    assert reduction.after.neurons == 0  # the difference of the two is zero
    assert reduction.network.forward([0.2, 0.9]).tolist() == [3.0]


def test_a_relu_as_output() -> None:
    network = from_weights([[[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]], [[0.0, 5.0, -5.0]])
    relu = Relu("last", "output.affine", 3)
    network = Network((*network.nodes, relu), "last", network.inputs, (TensorSpec("Y", (1, 3)),))
    reduction = reduced(network, unit_box(2))
    assert reduction.after.neurons == 1
    check_equal(network, unit_box(2), reduction, np.random.default_rng(0))


def convolution_network(weight: np.ndarray, bias: list[float]) -> Network:
    convolution = Convolution(weight, (1, 6, 6), pads=(1, 1, 1, 1))
    second = Convolution(np.random.default_rng(1).normal(size=(2, weight.shape[0], 3, 3)), convolution.out_shape)
    nodes = (
        Affine("c1", (INPUT,), (convolution,), np.repeat(bias, 36)),
        Relu("r1", "c1", 36 * len(bias)),
        Affine("c2", ("r1",), (second,), np.zeros(32)),
        Relu("r2", "c2", 32),
        Affine("y", ("r2",), (Sparse(sparse.csr_array(np.ones((1, 32)))),), np.zeros(1)),
    )
    return Network(nodes, "y", (TensorSpec("X", (1, 1, 6, 6)),), (TensorSpec("Y", (1, 1)),))


def test_whole_channels_go_and_the_convolution_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*CONVOLUTIONS_STAY)
    weight = np.random.default_rng(0).normal(size=(4, 1, 3, 3))
    weight[2] = 0.0
    network = convolution_network(weight, [0.0, -100.0, 0.3, 0.0])
    reduction = reduced(network, unit_box(36))
    maps = [m for node in reduction.network.affines for m in node.maps if isinstance(m, Convolution)]
    assert [m.weight.shape for m in maps] == [(2, 1, 3, 3), (2, 2, 3, 3)]
    assert np.unique(reduction.kept["r1"] // 36).tolist() == [0, 3]
    check_equal(network, unit_box(36), reduction, np.random.default_rng(0))


def test_a_convolution_with_few_weights_left_becomes_sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*CONVOLUTIONS_STAY)
    weight = np.zeros((4, 1, 3, 3))
    weight[0, 0, 1, 1], weight[1, 0, 0, 0] = 1.0, -1.0
    network = convolution_network(weight, [0.0, 0.1, 0.0, 0.0])
    reduction = reduced(network, unit_box(36))
    assert isinstance(reduction.network.affines[0].maps[0], Sparse)
    check_equal(network, unit_box(36), reduction, np.random.default_rng(0))


def test_nothing_to_reduce_returns_the_network() -> None:
    network = from_weights([[[1.0, 1.0], [1.0, -1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    bounds = compute_bounds(network, unit_box(2))
    reduction = reduce_network(network, unit_box(2), bounds)
    assert reduction.network is network
    assert reduction.bounds is bounds


def test_lp_bound_and_counts() -> None:
    network = random_network("plain", 3)
    box = unit_box(3)
    bounds = compute_bounds(network, box)
    size = model_size(network, box, bounds, weights=np.array([1.0, 0.0]), solver=get_solver("highs"))
    assert size.lp_bound is not None
    assert size.lp_bound >= network.forward(box.sample(np.random.default_rng(0), 500))[:, 0].max() - 1e-9
    assert size.binaries == bounds.unstable_count
    assert min(size.rows, size.columns, size.nonzeros) > 0


def test_bad_input_is_refused() -> None:
    network, other = random_network("plain", 0), random_network("plain", 1)
    bounds = compute_bounds(network, unit_box(3))
    with pytest.raises(InputError, match="bounds belong to the network"):
        reduce_network(other, unit_box(3), bounds)
    with pytest.raises(InputError, match="domain has 2 inputs and the network 3"):
        reduce_network(network, unit_box(2), bounds)
    with pytest.raises(InputError, match="empty"):
        reduce_network(network, Box(np.ones(3), -np.ones(3)), bounds)
