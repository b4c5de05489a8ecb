"""What is chosen from, what a choice costs, and how rates follow from what is learned."""

from __future__ import annotations

import numpy as np
import pytest
from bound_cases import random_network
from harp_cases import residual_network, stacked_network
from pruned_cases import ALL

from netopt.errors import InputError, InvalidOptionError
from netopt.network.build import from_weights
from netopt.network.convolution import Convolution
from netopt.pruning.apply import apply_mask
from netopt.pruning.harp.rates import RatePlan, check_keep
from netopt.pruning.harp.structure import find_structure
from netopt.pruning.harp.torch_network import TorchNetwork
from netopt.pruning.mask import Mask

torch = pytest.importorskip("torch")

PLAIN = {"residual": residual_network(), "stacked": stacked_network(), "dense": random_network(4, (6, 9, 8, 3))}
NETWORKS = {**ALL, **PLAIN}


def structures(networks, *kinds):
    return [(TorchNetwork(networks[name], double=True), kind) for name in sorted(networks) for kind in kinds]


def random_choice(structure, seed=0):
    """Keep about half of the groups of every layer, at least one."""
    generator = np.random.default_rng(seed)
    kept = generator.random(structure.groups) < 0.5
    kept[structure.offsets[:-1]] = True
    return kept


@pytest.mark.parametrize(("model", "kind"), structures(PLAIN, "weights", "channels"))
def test_share_counts_what_is_left(model, kind):
    structure = find_structure(model, kind)
    kept = random_choice(structure)
    rates = np.add.reduceat(kept.astype(float), structure.offsets[:-1]) / structure.sizes
    mask = structure.weight_mask(model, kept)
    left = whole = 0
    for part in model.parts:
        times = 1
        if kind == "channels" and isinstance(part.linear_map, Convolution):
            times = int(np.prod(part.linear_map.out_shape[1:]))
        left += times * np.count_nonzero(mask[part.key])
        whole += times * part.weights.size
    assert structure.share(rates)[0] == pytest.approx(left / whole, rel=1e-12)
    assert structure.share_of([mask[part.key] for part in model.parts]) == pytest.approx(left / whole, rel=1e-12)


@pytest.mark.parametrize(("model", "kind"), structures(PLAIN, "weights", "channels"))
def test_gradients_of_share_and_hardware_loss_are_slopes(model, kind):
    structure = find_structure(model, kind)
    plan = RatePlan(structure, 0.1)
    scores = np.random.default_rng(1).normal(size=structure.sizes.size)
    rates = plan.rates(scores)
    loss, gradient = plan.hardware_loss(rates)
    assert loss > 0.0
    slopes = [
        (plan.hardware_loss(rates + step)[0] - plan.hardware_loss(rates - step)[0]) / 2e-6
        for step in 1e-6 * np.eye(rates.size)
    ]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-8)
    by_score = [
        (plan.hardware_loss(plan.rates(scores + step))[0] - plan.hardware_loss(plan.rates(scores - step))[0]) / 2e-6
        for step in 1e-6 * np.eye(rates.size)
    ]
    np.testing.assert_allclose(plan.chain(scores, gradient), by_score, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("model", "kind"), structures(NETWORKS, "weights", "channels"))
def test_masked_parameters_compute_the_network_of_the_mask(model, kind):
    structure = find_structure(model, kind)
    kept = random_choice(structure)
    group = torch.from_numpy(structure.group)
    mask = torch.from_numpy(np.append(kept, True))[group]
    x = np.random.default_rng(2).normal(size=(30, model.network.input_size))
    found = model.forward(torch.from_numpy(x), model.parameters() * mask).numpy()
    network = model.network
    sparse = apply_mask(network, Mask(structure.weight_mask(model, kept), "by hand", 0.5, network.sha256))
    np.testing.assert_allclose(found, sparse.forward(x), rtol=1e-10, atol=1e-10)


def test_scores_start_at_scaled_weights():
    network = from_weights([[[1.0, -2.0, 4.0]], [[0.0], [0.0]]], [[0.0], [0.0, 0.0]])
    model = TorchNetwork(network, double=True)
    structure = find_structure(model, "weights")
    found = structure.start_scores(model, model.parameters().numpy())
    np.testing.assert_allclose(found, [0.25 * 2**0.5, -0.5 * 2**0.5, 2**0.5, 0.0, 0.0])
    channels = find_structure(model, "channels")
    np.testing.assert_allclose(channels.start_scores(model, model.parameters().numpy()), [2**0.5])


@pytest.mark.parametrize(("model", "kind"), structures(PLAIN, "weights", "channels"))
@pytest.mark.parametrize("keep", [0.2, 0.5])
def test_counts_at_a_level_meet_the_target(model, kind, keep):
    structure = find_structure(model, kind)
    plan = RatePlan(structure, keep)
    rates = plan.first_rates(model.network, "uniform", keep)
    assert structure.share(rates)[0] == pytest.approx(keep, rel=1e-9)
    counts = plan.counts(rates)
    assert (counts >= 1).all()
    if kind == "channels":
        assert (np.abs(counts - np.maximum(rates * structure.sizes, 1.0)) <= 0.5 + 1e-6).all()
    elif (rates * structure.sizes >= 1.0).all():
        assert structure.share(counts / structure.sizes)[0] <= keep * (1.0 + 1e-9)


def test_layers_that_round_up_cost_others_theirs():
    plan = RatePlan(find_structure(TorchNetwork(PLAIN["dense"]), "weights"), 0.04)
    rates = np.array([0.001, 0.08, 0.001])
    assert plan.counts(rates).tolist() == [1, 5, 1]
    assert plan.final_counts(rates).tolist() == [1, 4, 1]  # 6 of 150
    assert plan.final_counts(np.full(3, 0.2)).tolist() == [11, 14, 5]  # missed, and said so: a fifth of 150


@pytest.mark.parametrize(("model", "kind"), structures(PLAIN, "weights", "channels"))
@pytest.mark.parametrize("keep", [0.2, 0.35, 0.5])
def test_what_rounding_leaves_is_dealt_out(model, kind, keep):
    structure = find_structure(model, kind)
    plan = RatePlan(structure, keep)
    rates = plan.first_rates(model.network, "uniform", keep)
    counts, floor = plan.final_counts(rates), np.maximum(np.floor(rates * structure.sizes + 1e-6), 1.0)
    if structure.share(floor / structure.sizes)[0] > keep:
        pytest.skip("one channel a layer is more than the target")
    assert (floor <= counts).all()
    assert structure.share(counts / structure.sizes)[0] <= keep * (1.0 + 1e-8)
    for layer in np.flatnonzero(counts < structure.sizes):  # none has room for one more
        more = counts + (np.arange(counts.size) == layer)
        assert structure.share(more / structure.sizes)[0] > keep


def test_groups_left_over_go_where_most_is_lacking():
    plan = RatePlan(find_structure(TorchNetwork(PLAIN["dense"]), "weights"), 0.1)
    rates = np.array([5.5, 7.7, 1.8]) / np.array([54, 72, 24])
    assert plan.counts(rates).tolist() == [5, 7, 1]
    assert plan.final_counts(rates).tolist() == [5, 8, 2]
    channels = RatePlan(find_structure(TorchNetwork(PLAIN["stacked"]), "channels"), 0.2)
    sizes = channels.structure.sizes
    assert channels.counts(np.full(3, 1e-9)).tolist() == [1, 1, 1]
    assert channels.counts((sizes - 0.4) / sizes).tolist() == sizes.tolist()
    assert channels.counts((sizes - 0.6) / sizes).tolist() == (sizes - 1).tolist()
    assert channels.final_counts(channels.first_rates(PLAIN["stacked"], "uniform", 0.2)).tolist() == [1, 2, 4]


def test_rates_and_rate_scores_are_inverse():
    plan = RatePlan(find_structure(TorchNetwork(PLAIN["dense"]), "weights"), 0.3)
    rates = np.array([0.05, 0.4, 0.999])
    np.testing.assert_allclose(plan.rates(plan.rate_scores(rates, learned=False)), rates, rtol=1e-9)
    assert plan.counts(plan.rates(plan.rate_scores(np.ones(3), learned=False))).tolist() == [54, 72, 24]
    moved = plan.rates(plan.rate_scores(np.array([0.0, 0.5, 1.0]), learned=True))
    assert (moved > plan.least).all()
    assert (moved < 1.0).all()


def test_rates_near_or_below_the_target_are_brought_to_it_and_a_wide_miss_is_left():
    structure = find_structure(TorchNetwork(PLAIN["dense"]), "weights")
    plan = RatePlan(structure, 0.3)
    near = plan.final_rates(np.full(3, 0.32))
    assert structure.share(near)[0] == pytest.approx(0.3)
    below = plan.final_rates(np.array([0.1, 0.2, 0.9]))
    assert structure.share(below)[0] == pytest.approx(0.3)
    assert below[1] == pytest.approx(2.0 * below[0])
    wide = np.full(3, 0.34)
    assert plan.final_rates(wide) is wide


def test_less_than_a_weight_a_layer_is_refused():
    structure = find_structure(TorchNetwork(PLAIN["dense"]), "weights")
    check_keep(structure, 3 / 150)
    with pytest.raises(InputError, match=r"less than one weight a layer, which takes 0\.02"):
        check_keep(structure, 0.0199)
    with pytest.raises(InvalidOptionError, match=r"not in \(0, 1\)"):
        check_keep(structure, 1.0)


def test_what_cannot_be_pruned_is_refused():
    flat = from_weights([np.eye(2)], [np.zeros(2)])
    with pytest.raises(InputError, match="no hidden layer"):
        find_structure(TorchNetwork(from_weights([[[1.0, 2.0]]], [[0.0]])), "channels")
    assert find_structure(TorchNetwork(flat), "weights").groups == 4
    plan = RatePlan(find_structure(TorchNetwork(residual_network()), "channels"), 0.001)
    with pytest.raises(InputError, match="keep more"):
        check_keep(plan.structure, 0.001)
