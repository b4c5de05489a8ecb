from __future__ import annotations

import numpy as np
import pytest
from bound_cases import random_network, unit_box
from hypothesis import given, settings
from hypothesis import strategies as st
from pruned_cases import ALL, pairs

from netopt.bounds.crown import crown_bounds
from netopt.errors import InputError, InvalidOptionError
from netopt.network.build import from_weights
from netopt.network.network import Network, TensorSpec
from netopt.network.nodes import Affine
from netopt.pruning.apply import node_values
from netopt.pruning.influence import find_ranges
from netopt.pruning.paths import ensure_path
from netopt.pruning.prune import prune
from netopt.pruning.registry import METHODS, find_method
from netopt.pruning.request import Request
from netopt.pruning.scores import domain_aware, lamp
from netopt.pruning.select import count_removed
from netopt.pruning.weights import prunable_maps, stored_weights, uses
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball

LAYERWISE = ["magnitude", "domain-aware", "random"]
OVERALL = ["lamp", "global-magnitude", "global-domain-aware"]
UNITS = ["neuron-norm", "neuron-width", "neuron-random", "ticket", "ticket-rescaled"]


def _request(network, box, rate=0.0):
    return Request(network, prunable_maps(network), rate, np.random.default_rng(0), find_ranges(network, box))


def test_every_method_is_tested_here() -> None:
    assert set(METHODS) == {*LAYERWISE, *OVERALL, *UNITS, "lossless", "ticket-priced"}


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if not method.averages])
@pytest.mark.parametrize("name", ALL)
def test_dense_and_sparse_agree_at_the_center(name: str, method: str) -> None:
    network, box = ALL[name], unit_box(ALL[name])
    pruned = prune(network, method, 0.7 if METHODS[method].takes_rate else 0.0, domain=box).network
    dense, sparse = node_values(network, box.center), node_values(pruned, box.center)
    names = [network.output] if method == "lossless" else dense  # what no output needs may change there
    for node in names:
        size = max(np.abs(dense[node]).max(), 1.0)
        np.testing.assert_allclose(sparse[node], dense[node], rtol=1e-12, atol=1e-12 * size)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.29, 0.5, 0.8, 0.9, 0.99])
@pytest.mark.parametrize("name", ALL)
def test_rates_hold_in_every_layer_or_over_all(name: str, rate: float) -> None:
    network, box = ALL[name], unit_box(ALL[name])
    for method in LAYERWISE + OVERALL:
        pruned = prune(network, method, rate, domain=box)
        put_back = len(pruned.notices)
        kept = pruned.mask.kept.values()
        asked = sum(count_removed(rate, k.size) for k in kept)
        if method in OVERALL:
            asked = count_removed(rate, pruned.mask.weights)
        removed = pruned.mask.weights - pruned.mask.weights_kept
        assert asked - put_back <= removed <= asked
        if method in LAYERWISE and not put_back:
            assert all(k.size - k.sum() == count_removed(rate, k.size) for k in kept)
        assert pruned.mask.removed == pytest.approx(removed / pruned.mask.weights)


def test_every_rate_to_one_weight_on_one_network() -> None:
    network = random_network(2, (10, 40, 10))
    for percent in range(100):
        kept = prune(network, "magnitude", percent / 100).mask.kept
        assert [k.size - int(k.sum()) for k in kept.values()] == [4 * percent, 4 * percent]


@pytest.mark.parametrize("name", ALL)
def test_uses_sum_over_all_pairs_a_weight_joins(name: str) -> None:
    generator = np.random.default_rng(1)
    for part in prunable_maps(ALL[name]):
        inputs = generator.random(part.linear_map.in_size)
        outputs = generator.random(part.linear_map.out_size)
        expected = [sum(outputs[i] * inputs[j] for i, j in joined) for joined in pairs(part.linear_map)]
        found = uses(part.linear_map, inputs, outputs)
        assert found.shape == stored_weights(part.linear_map).shape
        np.testing.assert_allclose(found.ravel(), expected, rtol=1e-12, atol=1e-12)


def test_domain_aware_scores_are_width_times_influence() -> None:
    weights = [np.array([[1.0, -2.0], [3.0, 1.0]]), np.array([[1.0, -4.0]])]
    network = from_weights(weights, [[9.0, -100.0], [0.0]])  # the first neuron is active, the second inactive
    box = Box(np.array([0.0, 1.0]), np.array([1.0, 1.5]))
    scores = domain_aware(_request(network, box))
    np.testing.assert_allclose(scores["layer1.affine"], [[1.0, 1.0], [0.0, 0.0]], rtol=1e-9)
    np.testing.assert_allclose(scores["output.affine"], [[2.0, 0.0]], rtol=1e-9)


def test_influence_of_an_affine_network_is_its_jacobian() -> None:
    generator = np.random.default_rng(0)
    weights = [generator.random((5, 4)), generator.random((3, 5)), generator.random((1, 3))]
    network = from_weights(weights, [np.full(5, 50.0), np.full(3, 50.0), [0.0]])  # all active, nothing cancels
    influence = find_ranges(network, unit_box(network)).influence
    np.testing.assert_allclose(influence["layer2.relu"], weights[2][0])
    np.testing.assert_allclose(influence["layer1.relu"], (weights[2] @ weights[1])[0])


def test_influence_of_many_outputs_is_estimated() -> None:
    generator = np.random.default_rng(0)
    network = from_weights(
        [generator.random((6, 3)), generator.normal(size=(400, 6))], [np.full(6, 9.0), np.zeros(400)]
    )
    found = find_ranges(network, unit_box(network)).influence["layer1.relu"]
    weight = network.affines[1].maps[0].rows(np.arange(400))
    exact = np.sqrt(np.abs(weight).sum(axis=0) * np.sqrt(np.square(weight).sum(axis=0)))
    np.testing.assert_allclose(found, exact, rtol=0.2)


def test_ranges_stay_finite_where_bounds_overflow() -> None:
    network = from_weights([[[1e200]], [[1e200]], [[1e200]]], [[1.0], [1.0], [0.0]])
    box = Box(np.array([-1.0]), np.array([1.0]))
    with np.errstate(over="ignore", invalid="ignore"):
        scores = domain_aware(_request(network, box))
    assert not any(np.isnan(value).any() for value in scores.values())


def test_lamp_scores_are_those_of_the_paper() -> None:
    network = random_network(3, (3, 4, 2))
    scores = lamp(_request(network, unit_box(network)))
    for part in prunable_maps(network):
        squares = np.square(part.weights)
        expected = [[value / squares[squares >= value].sum() for value in row] for row in squares]
        np.testing.assert_allclose(scores[part.key], expected)


@pytest.mark.parametrize("method", UNITS)
def test_whole_units_go_with_all_their_weights(method: str) -> None:
    network, box = ALL["pooled"], unit_box(ALL["pooled"])
    kept = prune(network, method, 0.5, domain=box).mask.kept
    filters = kept["conv1"].any(axis=(1, 2, 3))
    assert (kept["conv1"] == filters[:, None, None, None]).all()
    assert filters.sum() == 2  # a third of three is one
    after = kept["conv2"].any(axis=(1, 2, 3))
    assert (kept["conv2"] == (after[:, None] & filters)[:, :, None, None]).all()
    assert after.sum() == 2
    neurons = kept["output"].any(axis=0)
    assert (kept["output"] == neurons).all()  # no output loses all its weights
    assert neurons.sum() == 3


def test_units_are_ranked_by_norm_or_by_width_and_influence() -> None:
    network = from_weights([[[1.0], [2.0], [3.0]], [[9.0, 1.0, 0.0]]], [[5.0, 5.0, 5.0], [0.0]])
    box = Box(np.array([-1.0]), np.array([1.0]))
    assert prune(network, "neuron-norm", 0.4, domain=box).mask.kept["output.affine"].tolist() == [[False, True, True]]
    assert prune(network, "neuron-width", 0.4, domain=box).mask.kept["output.affine"].tolist() == [[True, True, False]]


def test_units_behind_a_skip_and_outputs_stay() -> None:
    kept = prune(ALL["convolutional"], "neuron-norm", 0.5).mask.kept
    assert kept["conv1"].any(axis=(1, 2, 3)).sum() == 1
    assert kept["conv2:0"].any(axis=(1, 2, 3)).sum() <= 1
    assert kept["dense"].all()  # what is cut from conv2 still gets its skip, and the last ReLU is the output


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_mask(method: str) -> None:
    network, box = ALL["wide"], unit_box(ALL["wide"])
    rate = 0.6 if METHODS[method].takes_rate else 0.0
    first, again = (prune(network, method, rate, domain=box, seed=4).mask.kept for _ in range(2))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    if "random" in method:
        other = prune(network, method, rate, domain=box, seed=5).mask.kept
        assert any(not np.array_equal(first[key], other[key]) for key in first)


@given(
    st.sampled_from(sorted(ALL)), st.sampled_from(LAYERWISE + OVERALL + UNITS), st.integers(0, 99), st.integers(0, 9)
)
def test_a_path_survives_every_mask(name: str, method: str, percent: int, seed: int) -> None:
    network = ALL[name]
    pruned = prune(network, method, percent / 100, domain=unit_box(network), seed=seed)
    again, notices = ensure_path(pruned.network, {p.key: p.weights != 0.0 for p in prunable_maps(pruned.network)})
    assert notices == ()
    assert again
    assert all("was put back" in notice for notice in pruned.notices)


def test_weights_put_back_are_the_largest_that_lead_on() -> None:
    first = np.array([[1.0, 5.0], [2.0, 0.5], [9.0, 9.0]])
    second = np.array([[3.0, 4.0, 0.0]])  # the third neuron leads nowhere
    network = from_weights([first, second], [np.zeros(3), [0.0]])
    none = {part.key: np.zeros(part.weights.shape, dtype=bool) for part in prunable_maps(network)}
    kept, notices = ensure_path(network, none)
    assert np.argwhere(kept["layer1.affine"]).tolist() == [[0, 1]]
    assert np.argwhere(kept["output.affine"]).tolist() == [[0, 0]]
    assert len(notices) == 2
    assert not none["layer1.affine"].any()
    assert all("one more than was to be kept" in notice for notice in notices)


def test_a_weight_put_back_takes_the_place_of_the_smallest() -> None:
    first = np.array([[1.0, 5.0], [2.0, 0.5], [9.0, 9.0]])
    second = np.array([[3.0, 4.0, 0.0]])  # the third neuron leads nowhere
    network = from_weights([first, second], [np.zeros(3), [0.0]])
    astray = np.array([[False, False], [False, False], [True, True]])
    kept, notices = ensure_path(network, {"layer1.affine": astray, "output.affine": np.array([[False, True, True]])})
    assert kept["layer1.affine"].tolist() == [[False, True], [False, False], [False, True]]
    assert kept["output.affine"].tolist() == [[True, True, False]]
    assert [notice.partition("; ")[2] for notice in notices] == [
        "one of its weights was put back, in place of its smallest"
    ] * 2


@given(st.integers(0, 2**16), st.sampled_from(["random", "magnitude", "neuron-random"]), st.integers(90, 99))
@settings(max_examples=40)
def test_a_repair_keeps_no_more_than_was_asked_for(seed: int, method: str, percent: int) -> None:
    network = random_network(seed, (5, 9, 8, 7, 3))
    request = Request(network, prunable_maps(network), percent / 100, np.random.default_rng(seed))
    asked = find_method(method).select(request)
    kept, _ = ensure_path(network, asked)
    for key, mask in kept.items():
        assert mask.sum() == max(asked[key].sum(), 1)


def test_a_network_without_a_path_is_refused() -> None:
    network = from_weights([np.ones((2, 2)), np.zeros((1, 2))], [np.ones(2), [1.0]])
    with pytest.raises(InputError, match="no path of nonzero weights joins"):
        prune(network, "magnitude", 0.5)
    assert prune(network, "lossless", domain=unit_box(network)).mask.weights_kept == 0


def test_what_cannot_be_is_refused() -> None:
    network = random_network(1)
    box = unit_box(network)
    for keywords, message in [
        ({"method": "best", "rate": 0.5}, "is unknown"),
        ({"method": "magnitude", "rate": 1.0}, r"is not in \[0, 1\)"),
        ({"method": "domain-aware", "rate": 0.5}, "give a domain"),
        ({"method": "magnitude", "rate": 0.5, "fold": True}, "give one or do not fold"),
        ({"method": "lossless", "rate": 0.5, "domain": box}, "takes no rate"),
        ({"method": "lossless", "domain": box, "fold": False}, "exact only with folding"),
    ]:
        with pytest.raises(InvalidOptionError, match=message):
            prune(network, **keywords)
    with pytest.raises(InputError, match="the domain has 2 inputs and the network 4"):
        prune(network, "magnitude", 0.5, domain=Box(np.zeros(2), np.ones(2)))
    with pytest.raises(InputError, match="the bounds belong to the network"):
        prune(network, "domain-aware", 0.5, domain=box, bounds=crown_bounds(random_network(9), box))


def test_folding_and_influence_bring_the_sparse_network_closer() -> None:
    network = random_network(11, (60, 40, 40, 5))
    center = np.linspace(0.0, 1.0, 60)
    for domain in (Box.ball(center, 0.1), L1Ball(center, 1.0, center - 1.0, center + 1.0)):
        bounds = crown_bounds(network, domain)
        points = domain.sample(np.random.default_rng(0), 200)

        def error(method: str, fold: bool, domain=domain, bounds=bounds, points=points) -> float:
            sparse = prune(network, method, 0.8, domain=domain, bounds=bounds, fold=fold).network
            return float(np.abs(network.forward(points) - sparse.forward(points)).max())

        assert error("magnitude", True) < 0.5 * error("magnitude", False)
        assert error("domain-aware", True) < error("magnitude", True)
        assert error("global-domain-aware", True) < error("magnitude", True)


def test_a_node_that_reads_nothing_is_its_bias() -> None:
    constant = Network(
        (Affine("constant", (), (), np.array([1.0, -2.0])),),
        "constant",
        (TensorSpec("X", (1, 3)),),
        (TensorSpec("Y", (1, 2)),),
    )
    assert node_values(constant, np.zeros(3))["constant"].tolist() == [1.0, -2.0]
