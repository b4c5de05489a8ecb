from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from bound_cases import random_network, unit_box
from pruned_cases import ALL, values_of
from scipy import sparse

from netopt.bounds.crown import crown_bounds
from netopt.embedding.sparse import parse_sparse, sparsify
from netopt.network.build import from_weights
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.network.nodes import Affine
from netopt.problems.maximization import maximize
from netopt.pruning.contribution import backward_signs, contributions
from netopt.pruning.influence import find_ranges
from netopt.pruning.prune import prune
from netopt.pruning.request import Request
from netopt.pruning.sample import draw_sample
from netopt.pruning.structured import Layer, unit_layers
from netopt.pruning.ticket import closest_sum
from netopt.pruning.weights import prunable_maps
from netopt.specification.box import Box
from netopt.specification.domain import Domain

INSTANCES = Path(__file__).resolve().parents[2] / "instances" / "networks"
METHODS = ["ticket", "ticket-rescaled", "ticket-priced"]
SIZED = METHODS[:2]


def _request(network: Network, domain: Domain, rate: float = 0.5, seed: int = 0) -> Request:
    generator = np.random.default_rng(seed)
    sample = draw_sample(network, domain, generator)
    return Request(network, prunable_maps(network), rate, generator, find_ranges(network, domain), sample)


def _of_dense(request: Request, layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Return the contributions to the first layer of a choice, when nothing before it is pruned."""
    sample = request.known_sample
    dense = values_of(request.network, sample.points)[layer.node.name]
    without = np.broadcast_to(sample.mean(dense), dense.shape)
    return contributions(request, layer, dense, dense, without)


def _shift(network: Network, change: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return how the values that ReLUs read, and the output, move with what some ReLUs give, matrix by matrix."""
    moved = dict(change)
    for node in network.nodes:
        if isinstance(node, Affine):
            parts = [
                moved[source] @ sparse.csr_array(linear_map.to_csr()).toarray().T
                for source, linear_map in zip(node.inputs, node.maps, strict=True)
                if source in moved
            ]
            if parts:
                moved[node.name] = np.sum(parts, axis=0)
    ends = {relu.input for relu in network.relus} | {network.output}
    return {name: value for name, value in moved.items() if name in ends and name not in change}


@pytest.mark.parametrize("name", ALL)
def test_lengths_of_sums_are_those_of_the_next_preactivations(name: str) -> None:
    network = ALL[name]
    request = _request(network, unit_box(network))
    layer = unit_layers(network, request.parts)[0]
    sample, influence = request.known_sample, request.known_ranges.influence
    pre = values_of(network, sample.points)[layer.node.name]
    active = np.maximum(pre, 0.0) - sample.mean(np.maximum(pre, 0.0))
    picks = np.random.default_rng(3).choice([-1.0, 0.0, 1.0], size=(40, layer.count))
    exact = np.zeros(40)
    for k, pick in enumerate(picks):
        moved = _shift(network, dict.fromkeys(layer.relus, active * pick[layer.unit]))
        exact[k] = sum(sample.weights @ np.square(value * influence[end]).sum(axis=1) for end, value in moved.items())
    vectors, _ = _of_dense(request, layer)
    found = np.square(picks @ vectors).sum(axis=1)
    nonzero = exact > 1e-9 * exact.max()
    assert nonzero.any()
    ratio = found[nonzero] / exact[nonzero]
    np.testing.assert_allclose(ratio / np.median(ratio), 1.0, atol=0.35)


@pytest.mark.parametrize("name", ALL)
def test_signs_are_carried_back_as_by_the_matrices(name: str) -> None:
    network = ALL[name]
    influence = find_ranges(network, unit_box(network)).influence
    layer = unit_layers(network, prunable_maps(network))[0]
    ends = backward_signs(network, layer.relus, influence, 4000, np.random.default_rng(0))
    for relu in layer.relus:
        found = np.square(ends[relu]).mean(axis=0)
        size = network[relu].size
        moved = _shift(network, {relu: np.eye(size)})
        exact = sum(np.square(value * influence[end]).sum(axis=1) for end, value in moved.items())
        largest = found.argmax()
        np.testing.assert_allclose(found / found[largest], exact / exact[largest], atol=0.2)


def _halves(outgoing: np.ndarray, seed: int = 0) -> Network:
    """Return a network of 12 hidden neurons, the second six of which read what the first six read."""
    generator = np.random.default_rng(seed)
    first, bias = generator.normal(size=(6, 4)), generator.normal(size=6)
    return from_weights([np.concatenate([first, first]), outgoing], [np.tile(bias, 2), np.zeros(2)])


def test_neurons_that_cancel_go_together() -> None:
    generator = np.random.default_rng(1)
    out = generator.normal(size=(2, 6))
    cancels = np.array([0, 1, 2])
    outgoing = np.concatenate([out, np.zeros((2, 6))], axis=1)
    outgoing[:, cancels] *= 50.0
    outgoing[:, 6 + cancels] = -outgoing[:, cancels]
    network = _halves(outgoing)
    box = unit_box(network)
    points = box.sample(np.random.default_rng(0), 500)
    pruned = prune(network, "ticket", 0.75, domain=box)  # of twelve, three count, and three read nothing
    assert pruned.mask.kept["output.affine"].any(axis=0).sum() == 3
    np.testing.assert_allclose(pruned.network.forward(points), network.forward(points), atol=1e-9)
    by_norm = prune(network, "neuron-width", 0.75, domain=box).network
    assert np.abs(by_norm.forward(points) - network.forward(points)).max() > 1.0


def test_one_factor_makes_up_for_half_of_all_twins() -> None:
    out = np.random.default_rng(2).normal(size=(2, 6))
    network = _halves(np.concatenate([out, out], axis=1))
    box = unit_box(network)
    points = box.sample(np.random.default_rng(0), 500)
    exact = prune(network, "ticket-rescaled", 0.5, domain=box)
    np.testing.assert_allclose(exact.network.forward(points), network.forward(points), atol=1e-6)
    kept = exact.mask.kept["output.affine"].any(axis=0)
    assert (kept[:6] ^ kept[6:]).all()  # one of each pair
    rough = prune(network, "ticket", 0.5, domain=box).network
    assert np.abs(rough.forward(points) - network.forward(points)).max() > 0.01


@pytest.mark.parametrize("seed", range(6))
def test_small_layers_are_chosen_nearly_as_well_as_can_be(seed: int) -> None:
    network = random_network(seed, (5, 12, 3))
    box = unit_box(network)
    request = _request(network, box)
    layer = unit_layers(network, request.parts)[0]
    vectors, target = _of_dense(request, layer)
    kept = closest_sum(vectors, target, size=6)
    assert kept.sum() == 6
    errors = np.array(
        [np.square(vectors[list(s)].sum(axis=0) - target).sum() for s in combinations(range(layer.count), 6)]
    )
    found = np.square(vectors[kept].sum(axis=0) - target).sum()
    assert found <= errors.min() * (1.0 + 1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("price", [0.0, 0.003, 0.03, 0.3])
def test_prices_are_weighed_against_errors(seed: int, price: float) -> None:
    network = random_network(seed, (5, 10, 3))
    request = _request(network, unit_box(network))
    vectors, target = _of_dense(request, unit_layers(network, request.parts)[0])
    kept = closest_sum(vectors, target, price=price)
    every = (np.arange(2**10)[:, None] >> np.arange(10)) % 2
    cost = np.square(every @ vectors - target).sum(axis=1) + price * target @ target * every.sum(axis=1)
    found = np.square(kept @ vectors - target).sum() + price * target @ target * kept.sum()
    assert found <= cost.min() + 1e-9 * float(target @ target)


def test_a_higher_price_keeps_fewer_neurons_and_never_none() -> None:
    network = random_network(4, (6, 40, 30, 2))
    box = unit_box(network)
    kept = [
        [mask.any(axis=0).sum() for mask in prune(network, "ticket-priced", price, domain=box).mask.kept.values()][1:]
        for price in (0.001, 0.1, 0.99)
    ]
    assert sum(kept[0]) > sum(kept[1]) > sum(kept[2])
    assert min(kept[2]) >= 1


def test_neurons_that_add_nothing_are_not_worth_any_price() -> None:
    generator = np.random.default_rng(0)
    outgoing = generator.normal(size=(2, 8))
    outgoing[:, 5] = 0.0
    network = from_weights([generator.normal(size=(8, 4)), outgoing], [[1.0] * 7 + [-50.0], np.zeros(2)])
    box = unit_box(network)
    pruned = prune(network, "ticket-priced", 1e-9, domain=box)
    kept = pruned.mask.kept["layer1.affine"].any(axis=1)
    assert not kept[[5, 7]].any()
    points = box.sample(generator, 100)
    np.testing.assert_allclose(pruned.network.forward(points), network.forward(points), atol=1e-3)


def _mean_square(first: Network, second: Network, points: np.ndarray) -> float:
    return float(np.square(first.forward(points) - second.forward(points)).sum(axis=1).mean())


@pytest.mark.parametrize(("name", "radius"), [("mnist-2x256", 0.1), ("mnist-2x256", None), ("mnist-cnn", 0.1)])
def test_half_of_the_units_of_trained_networks_come_closer_than_by_rank(name: str, radius: float | None) -> None:
    network = load_network(INSTANCES / f"{name}.onnx")
    size = network.input_size
    center = np.random.default_rng(1).uniform(0.2, 0.8, size)
    box = Box(np.zeros(size), np.ones(size)) if radius is None else Box.ball(center, radius)
    bounds = crown_bounds(network, box)
    points = box.sample(np.random.default_rng(5), 2000)
    ranked = [
        _mean_square(network, prune(network, method, 0.5, domain=box, bounds=bounds).network, points)
        for method in ("neuron-norm", "neuron-width", "neuron-random")
    ]
    for method in SIZED:
        pruned = prune(network, method, 0.5, domain=box, bounds=bounds)
        share = 1.0 if "cnn" in name else 0.5  # the convolutions have four and eight filters, not hundreds
        assert _mean_square(network, pruned.network, points) <= share * min(ranked)
        kept = [kept.reshape(kept.shape[0], -1).any(axis=1).sum() for kept in pruned.mask.kept.values()]
        units = [layer.count for layer in unit_layers(network, prunable_maps(network))]
        assert kept[: len(units)] == [-(-count // 2) for count in units]


def test_what_scales_overflow_or_vanish_is_still_chosen() -> None:
    for scale in (1e-150, 1e100):
        generator = np.random.default_rng(0)
        weights = [generator.normal(size=(8, 4)) * scale, generator.normal(size=(2, 8))]
        network = from_weights(weights, [generator.normal(size=8) * scale, np.zeros(2)])
        for method in SIZED:
            kept = prune(network, method, 0.5, domain=unit_box(network)).mask.kept["output.affine"].any(axis=0)
            assert kept.sum() == 4


@pytest.mark.parametrize("method", METHODS)
def test_tickets_serve_as_surrogates(method: str) -> None:
    network = random_network(5, (4, 16, 12, 2))
    box = unit_box(network)
    found = maximize(network, box, weights=np.array([1.0, -1.0]), prune=f"{method}:0.5", time_limit=30.0, isolate=False)
    assert found.x is not None
    assert found.primal_bound == pytest.approx(float(network.forward(found.x) @ [1.0, -1.0]), rel=1e-9)
    point = box.sample(np.random.default_rng(0), 1)[0]
    for center in (None, point):
        surrogate = sparsify(network, box, "crown", parse_sparse(f"{method}:0.5"), center)
        assert surrogate.network.relu_count <= 14
        if center is not None:
            np.testing.assert_allclose(surrogate.network.forward(center), network.forward(center), atol=1e-9)
