from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ticket_cases import TARGETS, box_of, convolutional, found_for, perceptron

from netopt.bounds.compute import compute_bounds
from netopt.errors import InputError
from netopt.network.dense import Dense
from netopt.network.load import load_network
from netopt.network.nodes import Affine
from netopt.network.onnx_writer import write_onnx
from netopt.reduction.reduce import reduce_network
from netopt.specification.box import Box
from netopt.ticket.build import build_ticket
from netopt.ticket.layers import LearnedMap, learned_layers
from netopt.ticket.random_network import RandomPair
from netopt.ticket.scales import equal_scales
from netopt.ticket.search import FoundMap, Subsets


def test_the_random_network_does_not_depend_on_how_it_is_drawn() -> None:
    pair = RandomPair(seed=3, stream=4, channels=7, width=5, entries=6)
    (whole,) = pair.blocks(7)
    for count in (1, 2, 3, 100):
        parts = list(pair.blocks(count))
        assert np.array_equal(np.concatenate([lift for lift, _ in parts]), whole[0])
        assert np.array_equal(np.concatenate([filters for _, filters in parts]), whole[1])
    assert np.array_equal(whole[1].astype(np.float32), whole[1])
    other = next(RandomPair(seed=3, stream=6, channels=7, width=5, entries=6).blocks(7))
    assert not np.array_equal(whole[0], other[0])


def test_random_weights_are_standard_normal() -> None:
    ((lift, filters),) = RandomPair(seed=0, stream=0, channels=4, width=500, entries=30).blocks(4)
    for weights in (lift, filters):
        assert abs(weights.mean()) < 4.0 / np.sqrt(weights.size)
        assert abs(weights.var() - 1.0) < 4.0 * np.sqrt(2.0 / weights.size)


def _by_definition(learned: LearnedMap, subsets: Subsets, x: np.ndarray) -> np.ndarray:
    """Return what the identity says that the pair makes of x, from the random weights themselves."""
    ((lift, filters),) = subsets.pair.blocks(learned.blocks)
    kept = subsets.kept[:, :, None] * filters
    above = (np.maximum(lift, 0.0)[:, :, None] * kept).sum(axis=1)
    below = (np.maximum(-lift, 0.0)[:, :, None] * kept).sum(axis=1)
    positive, negative = np.maximum(x, 0.0), np.maximum(-x, 0.0)
    return learned.with_kernels(above).apply(positive) + learned.with_kernels(below).apply(negative)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(("lower", "dimension"), [(-1.0, None), (0.0, None), (-1.0, 2)])
def test_every_pair_of_layers_is_what_the_identity_says(name: str, lower: float, dimension: int | None) -> None:
    """The ticket's nodes, one random pair at a time, against sums over the redrawn random network."""
    target = TARGETS[name]()
    domain = box_of(target, lower)
    found = found_for(target, domain, width=20, dimension=dimension)
    generator = np.random.default_rng(0)
    for one in found.maps:
        lift, after = found.network[f"{one.learned.key}.lift"], found.network[one.learned.node.name]
        assert isinstance(lift, Affine)
        assert isinstance(after, Affine)
        x = generator.uniform(domain.lower.min(), 1.0, size=(50, one.learned.shape.in_size))
        x = np.where(one.learned.negative.any(), x, np.abs(x))
        lifted = np.maximum(lift.value({lift.inputs[0]: x}, 50), 0.0)
        value = after.maps[after.inputs.index(f"{lift.name}.relu")].apply(lifted)
        expected = _by_definition(one.learned, one.subsets, x)
        size = one.learned.with_kernels(one.subsets.magnitude.sum(axis=0)).apply(np.abs(x))
        assert (np.abs(value - expected) <= 1e-14 * size + 1e-300).all()


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(("lower", "dimension"), [(-1.0, None), (0.0, None), (-1.0, 2)])
def test_a_ticket_comes_close_to_its_target(name: str, lower: float, dimension: int | None) -> None:
    target = TARGETS[name]()
    domain = box_of(target, lower)
    x = np.random.default_rng(0).uniform(domain.lower, domain.upper, size=(200, target.input_size))
    expected = target.forward(x)
    wide = np.abs(found_for(target, domain, width=200, dimension=dimension).network.forward(x) - expected).max()
    narrow = np.abs(found_for(target, domain, width=10, dimension=dimension).network.forward(x) - expected).max()
    assert wide < 0.35 * np.abs(expected).max()
    assert wide < narrow


@pytest.mark.parametrize("name", TARGETS)
def test_the_folded_ticket_and_the_reduced_one_equal_the_ticket(name: str) -> None:
    target = TARGETS[name]()
    for lower, dimension in ((-1.0, None), (0.0, None), (0.0, 1)):
        domain = box_of(target, lower)
        found = found_for(target, domain, width=12, dimension=dimension)
        x = np.random.default_rng(1).uniform(domain.lower, domain.upper, size=(50, target.input_size))
        value = found.network.forward(x)
        reduction = reduce_network(found.network, domain, compute_bounds(found.network, domain))
        assert reduction.network.forward(x) == pytest.approx(value, rel=1e-9, abs=1e-12)
        assert (found.folded is None) == (lower < 0.0)
        if found.folded is not None:
            assert found.folded.forward(x) == pytest.approx(value, rel=1e-9, abs=1e-12)
            assert [node.name for node in found.folded.nodes] == [node.name for node in target.nodes]


def test_on_nonnegative_inputs_reduction_leaves_a_network_of_the_targets_size() -> None:
    for target in (perceptron(4, (6, 8, 7, 3)), TARGETS["convolutional"]()):
        domain = box_of(target, 0.0)
        found = found_for(target, domain, width=40)
        reduction = reduce_network(found.network, domain, compute_bounds(found.network, domain))
        assert reduction.before.neurons > 5 * target.relu_count
        assert reduction.after.neurons <= target.relu_count
        assert reduction.after.layers <= len(target.relus)


def test_a_negative_channel_gets_filters_of_the_other_sign() -> None:
    target = perceptron(5, (3, 4, 2))
    domain = Box(np.array([-1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    found = found_for(target, domain, width=300)
    (first, *_) = found.maps
    assert (first.subsets.lift[first.subsets.channel == 0] < 0.0).all()
    assert (first.subsets.lift[first.subsets.channel == 1] > 0.0).all()
    assert not (first.subsets.channel == 2).any()  # an input that is always zero needs no filters
    x = np.random.default_rng(0).uniform(domain.lower, domain.upper, size=(100, 3))
    assert np.abs(found.network.forward(x) - target.forward(x)).max() < 0.05
    assert found.folded is not None
    assert found.folded.forward(x) == pytest.approx(found.network.forward(x), rel=1e-9, abs=1e-12)


def test_where_nothing_is_kept_the_ticket_is_zero() -> None:
    target = perceptron(6)
    domain = box_of(target, -1.0)
    layers = learned_layers(target, domain, equal_scales(8.0))
    found = build_ticket(
        target,
        layers,
        width=4,
        seed=0,
        choose=lambda chunk: np.zeros(chunk.lift.shape, dtype=bool),
        advance=lambda key, done, total: None,
    )
    assert found.network.relu_count == target.relu_count
    assert not found.network.forward(np.ones((3, 4))).any()


def test_a_written_ticket_holds_the_same_weights(tmp_path: Path) -> None:
    for target in (perceptron(7), convolutional(2, pool=False)):
        domain = box_of(target, -1.0)
        found = found_for(target, domain, width=20)
        write_onnx(found.network, tmp_path / "ticket.onnx")
        read = load_network(tmp_path / "ticket.onnx")
        x = np.random.default_rng(0).uniform(-1.0, 1.0, size=(100, target.input_size))
        assert read.forward(x) == pytest.approx(found.network.forward(x), rel=1e-9, abs=1e-12)


def test_scales_multiply_along_a_path_and_out_of_range_ones_are_refused() -> None:
    target = perceptron(8, (2, 2, 2, 2, 1))
    scales = learned_layers(target, box_of(target, 0.0), equal_scales(4.0)).scales
    assert [scales[node.name] for node in target.affines] == [4.0, 16.0, 64.0, 256.0]
    with pytest.raises(InputError, match="smaller scale"):
        learned_layers(target, box_of(target, 0.0), equal_scales(1e9))


def test_a_bias_that_differs_between_pixels_is_refused() -> None:
    target = convolutional()
    first = target["layer1.affine"]
    assert isinstance(first, Affine)
    changed = first.bias.copy()
    changed[0] += 1.0
    nodes = (Affine(first.name, first.inputs, first.maps, changed), *target.nodes[1:])
    with pytest.raises(InputError, match="differs between the pixels"):
        learned_layers(target.with_nodes(nodes), box_of(target, 0.0), equal_scales(8.0))


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.sampled_from([0.125, 3.0, None]))
def test_tickets_of_odd_targets_equal_what_is_left_of_them(
    seed: int, hidden: int, depth: int, scale: float | None
) -> None:
    """Zero rows, zero columns, dead neurons, point inputs, huge and tiny weights."""
    generator = np.random.default_rng(seed)
    sizes = (3, *([hidden] * depth), 2)
    target = perceptron(seed, sizes, bias=generator.choice([0.0, 1.0]))
    nodes = []
    for node in target.nodes:
        if isinstance(node, Affine):
            weight = node.maps[0].to_csr().toarray() * 10.0 ** generator.integers(-3, 4)
            weight[generator.random(weight.shape) < 0.4] = 0.0
            nodes.append(Affine(node.name, node.inputs, (Dense(weight),), node.bias))
        else:
            nodes.append(node)
    target = target.with_nodes(tuple(nodes))
    lower = generator.choice([-1.0, 0.0, 0.5], size=3)
    domain = Box(lower, np.maximum(lower, generator.choice([0.5, 1.0], size=3)))
    found = found_for(target, domain, width=12, scale=scale, seed=seed)
    x = generator.uniform(domain.lower, domain.upper, size=(50, 3))
    value = found.network.forward(x)
    size = np.abs(value).max() + 1e-300
    reduction = reduce_network(found.network, domain, compute_bounds(found.network, domain))
    assert np.abs(reduction.network.forward(x) - value).max() <= 1e-7 * size
    assert all(isinstance(one, FoundMap) and one.subsets.kept.shape[1] == 24 for one in found.maps)
