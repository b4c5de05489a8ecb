"""Gradients of scores and rates: against torch's of the plain formula, with the mask as a real number."""

from __future__ import annotations

import numpy as np
import pytest
from bound_cases import random_network
from harp_cases import residual_network, rings, small_network, stacked_network
from pruned_cases import ALL
from torch.nn.functional import cross_entropy

from netopt.pruning.harp.options import HarpOptions
from netopt.pruning.harp.rates import RatePlan
from netopt.pruning.harp.select import Selector
from netopt.pruning.harp.state import State
from netopt.pruning.harp.steps import Steps
from netopt.pruning.harp.structure import find_structure
from netopt.pruning.harp.torch_network import TorchNetwork

torch = pytest.importorskip("torch")

NETWORKS = {
    "residual": residual_network(),
    "stacked": stacked_network(),
    "dense": random_network(4, (6, 9, 8, 3)),
    "bounded": ALL["convolutional"],
}


def set_up(network, kind, keep=0.4, **options):
    """Return the steps and a state with random scores, in float64."""
    model = TorchNetwork(network, double=True)
    structure = find_structure(model, kind)
    chosen = HarpOptions(keep=keep, loss="natural", structure=kind, **options)
    steps = Steps(
        model, RatePlan(structure, keep), chosen, torch.from_numpy(structure.group), Selector(structure.offsets)
    )
    state = State.first(model.parameters(), structure.offsets, seed=0)
    generator = np.random.default_rng(5)
    state.scores = torch.from_numpy(generator.normal(size=structure.groups))
    state.rate_scores = torch.from_numpy(generator.normal(size=structure.sizes.size))
    x = torch.from_numpy(3.0 * generator.normal(size=(12, network.input_size)))
    labels = torch.from_numpy(generator.integers(0, network.output_size, 12))
    return steps, state, x, labels


@pytest.mark.parametrize("kind", ["weights", "channels"])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_gradients_pass_straight_through_the_mask(name, kind):
    steps, state, x, labels = set_up(NETWORKS[name], kind)
    rates = steps.plan.rates(state.rate_scores.numpy())
    mask = steps.mask(state, rates)
    loss, _, gradient = steps.descend(state, mask, x, labels)
    by_score, by_rate = steps.through(state, gradient)

    real = torch.cat(
        [steps.kept(state, steps.plan.counts(rates)).double(), torch.ones(1, dtype=torch.float64)]
    ).requires_grad_()
    plain = cross_entropy(steps.model.forward(x, state.parameters * real[steps.group]), labels)
    (by_mask,) = torch.autograd.grad(plain, real)
    assert loss == pytest.approx(float(plain.detach()), rel=1e-12)
    expected = by_mask[:-1] * state.scores.sign()
    np.testing.assert_allclose(by_score, expected, rtol=1e-9, atol=1e-12)
    sums = np.add.reduceat(by_mask[:-1].numpy(), steps.plan.structure.offsets[:-1])
    np.testing.assert_allclose(by_rate, sums, rtol=1e-9, atol=1e-12)
    assert loss > 0.0
    assert np.abs(by_rate).max() > 0.0


@pytest.mark.parametrize("kind", ["weights", "channels"])
def test_masks_keep_the_largest_scores_at_the_rates(kind):
    steps, state, _, _ = set_up(NETWORKS["stacked"], kind)
    rates = steps.plan.rates(state.rate_scores.numpy())
    kept = steps.kept(state, steps.plan.counts(rates)).numpy()
    structure, counts = steps.plan.structure, steps.plan.counts(rates)
    for begin, end, count in zip(structure.offsets[:-1], structure.offsets[1:], counts, strict=True):
        size = np.abs(state.scores.numpy()[begin:end])
        assert set(np.flatnonzero(kept[begin:end])) == set(np.argsort(-size)[:count])


def test_a_step_descends_scores_and_rates_by_hand():
    steps, state, x, labels = set_up(NETWORKS["dense"], "weights", keep=0.2)
    state.gamma = 0.3
    scores, rate_scores = state.scores.clone(), state.rate_scores.numpy().copy()
    rates = steps.plan.rates(rate_scores)
    _, _, gradient = steps.descend(state, steps.mask(state, rates), x, labels)
    by_score, by_rate = steps.through(state, gradient)
    steps.on_mask(state, x, labels, 0.1)
    np.testing.assert_allclose(state.scores, scores - 0.1 * (by_score + 5e-4 * scores), rtol=1e-12)
    share = (rates * steps.plan.structure.sizes).sum() / steps.plan.structure.groups
    assert share > 0.2
    pull = 0.3 * steps.plan.structure.sizes / steps.plan.structure.groups / 0.2
    inner = 1.0 / (1.0 + np.exp(-rate_scores))  # rates learn a fifth as fast as scores
    expected = rate_scores - 0.02 * (by_rate + pull) * 0.98 * inner * (1.0 - inner)
    np.testing.assert_allclose(state.rate_scores.numpy(), expected, rtol=1e-12)
    assert torch.equal(state.parameters, state.dense)


@pytest.mark.parametrize(("learns", "moved"), [((False, True), [False, True]), ((True, False), [True, False])])
def test_only_what_is_learned_moves(learns, moved):
    steps, state, x, labels = set_up(NETWORKS["dense"], "weights", learn_scores=learns[0], learn_rates=learns[1])
    scores, rate_scores = state.scores.clone(), state.rate_scores.clone()
    steps.on_mask(state, x, labels, 0.1)
    assert [not torch.equal(state.scores, scores), not torch.equal(state.rate_scores, rate_scores)] == moved


def test_a_step_on_parameters_leaves_what_the_mask_removes():
    steps, state, x, labels = set_up(NETWORKS["stacked"], "weights")
    state.mask = steps.mask(state, steps.plan.rates(state.rate_scores.numpy()))
    state.parameters = state.dense * state.mask
    steps.on_parameters(state, x, labels, 0.1)
    steps.on_parameters(state, x, labels, 0.1)
    assert torch.equal(state.parameters != 0.0, state.mask)
    assert (state.parameters != state.dense)[state.mask].all()  # weight decay moves even what nothing reaches


def test_momentum_and_attacks_lower_the_loss():
    model = TorchNetwork(small_network(7), double=True)
    structure = find_structure(model, "weights")
    options = HarpOptions(keep=0.5, epsilon=0.02, attack_steps=3)
    steps = Steps(
        model, RatePlan(structure, 0.5), options, torch.from_numpy(structure.group), Selector(structure.offsets)
    )
    state = State.first(model.parameters(), structure.offsets, seed=0)
    points, labels = rings(128)
    x, y = torch.from_numpy(points.astype(np.float64)), torch.from_numpy(labels)
    losses = [steps.on_parameters(state, x, y, 0.2)[0] for _ in range(120)]
    assert np.mean(losses[-5:]) < 0.6 * losses[0]
