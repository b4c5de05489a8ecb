from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ticket_cases import TARGETS, box_of, found_for, perceptron, residual

from netopt.network.dense import Dense
from netopt.network.network import Network
from netopt.network.nodes import Affine
from netopt.subset_sum.search import find_subsets
from netopt.ticket.finder import EFFORTS
from netopt.ticket.layers import Layers, learned_layers
from netopt.ticket.scales import reach, reaching_scales


def layers_of(target: Network, width: int, size: int | None = None) -> Layers:
    return learned_layers(target, box_of(target, -1.0), reaching_scales(width, size))


def times(target: Network, name: str, factor: float) -> Network:
    """Return a network with the weights and the bias of one node multiplied."""
    nodes = [
        replace(node, maps=tuple(m.scale_rows(np.full(node.size, factor)) for m in node.maps), bias=factor * node.bias)
        if isinstance(node, Affine) and node.name == name
        else node
        for node in target.nodes
    ]
    return target.with_nodes(tuple(nodes))


@pytest.mark.parametrize(("width", "entries", "size"), [(64, 1, None), (128, 10, None), (256, 25, None), (128, 4, 32)])
def test_subsets_miss_targets_within_reach_by_the_same_and_others_by_more(
    width: int, entries: int, size: int | None
) -> None:
    generator = np.random.default_rng(0)
    candidates = np.abs(generator.normal(size=(8, width, 1))) * generator.normal(size=(8, width, entries))
    directions = generator.normal(size=(8, entries))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    errors = []
    for part in (0.1, 0.5, 3.0):
        targets = part * reach(width, entries, size) * directions
        errors.append(find_subsets(candidates, targets, size=size, effort=EFFORTS["quick"]).error.mean() ** 0.5)
    assert errors[1] < 2.0 * errors[0] + 1e-3
    assert errors[2] > 10.0 * errors[0]


@pytest.mark.parametrize("name", TARGETS)
def test_scales_are_powers_of_two_and_factors_are_their_ratios(name: str) -> None:
    target = TARGETS[name]()
    layers = layers_of(target, 64)
    for one in layers.maps:
        assert one.factor == layers.scales[one.node.name] / layers.scales[one.source]
        lengths = np.linalg.norm(one.targets, axis=1)
        assert 0.25 * reach(64, one.entries) < lengths.max() < 4.0 * reach(64, one.entries)
    for bias in layers.biases:
        assert np.allclose(
            np.repeat(bias.targets.ravel(), bias.pixels) * bias.carried,
            layers.scales[bias.node.name] * bias.node.bias,
        )
    assert all(np.log2(scale).is_integer() for scale in layers.scales.values())


def test_a_larger_map_gets_a_smaller_scale_and_a_wider_network_a_larger_one() -> None:
    target = perceptron(1, (4, 6, 6, 3))
    first, second = (layers_of(times(target, "layer2.affine", factor), 64) for factor in (1.0, 64.0))
    assert [one.factor for one in second.maps] == [
        first.maps[0].factor,
        first.maps[1].factor / 64.0,
        first.maps[2].factor,
    ]
    assert all(a.factor < b.factor for a, b in zip(first.maps, layers_of(target, 1024).maps, strict=True))
    assert all(a.factor >= b.factor for a, b in zip(first.maps, layers_of(target, 64, 8).maps, strict=True))


def test_where_branches_meet_the_map_with_the_least_scale_decides() -> None:
    target = residual()
    second = target["layer2.affine"]
    assert isinstance(second, Affine)
    generator = np.random.default_rng(0)
    joined = replace(second, maps=(second.maps[0], Dense(32.0 * generator.normal(size=(5, 5)))))
    both = target.with_nodes(tuple(joined if node.name == second.name else node for node in target.nodes))
    layers = layers_of(both, 64)
    factors = {one.key: one.factor for one in layers.maps}
    alone = {one.key: one.factor for one in layers_of(target, 64).maps}
    assert factors["layer2.affine:0"] == factors["layer2.affine:1"] < alone["layer2.affine:0"]


@pytest.mark.parametrize("factor", [0.0, 1e-300, 1e200, 5e-324])
def test_maps_of_any_size_have_scales_that_float32_can_divide_by(factor: float) -> None:
    layers = layers_of(times(perceptron(), "layer1.affine", factor), 32)
    assert all(2.0**-96 <= scale <= 2.0**96 for scale in layers.scales.values())
    assert all(2.0**-96 <= bias.carried <= 2.0**96 for bias in layers.biases)


def test_scales_of_their_own_serve_maps_of_unlike_sizes() -> None:
    """A small map and a large one: no scale for both serves them as well."""
    target = times(times(perceptron(1, (4, 6, 6, 3)), "layer1.affine", 0.05), "layer2.affine", 20.0)
    domain = box_of(target, 0.0)
    x = np.random.default_rng(0).uniform(size=(500, 4))
    expected = target.forward(x)
    own, *equal = (
        np.abs(found_for(target, domain, width=64, scale=scale).network.forward(x) - expected).max()
        for scale in (None, 1.0, 8.0, 64.0)
    )
    assert own < 0.9 * min(equal)
