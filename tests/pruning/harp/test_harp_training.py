"""Trainings as a whole: targets, seeds, masks, and going on from a file as if nothing had happened."""

from __future__ import annotations

import numpy as np
import pytest
from harp_cases import rings, small_network, stacked_network

from netopt.errors import InputError, InvalidOptionError
from netopt.network.network import Network
from netopt.pruning.apply import apply_mask
from netopt.pruning.harp.options import HarpOptions
from netopt.pruning.harp.select import Selector
from netopt.pruning.harp.torch_network import TorchNetwork
from netopt.pruning.harp.training import HarpTraining, harp
from netopt.pruning.weights import prunable_maps

torch = pytest.importorskip("torch")

QUICK = {"epsilon": 0.02, "attack_steps": 2, "batch": 32, "epochs": 3, "finetune_epochs": 2}


@pytest.fixture
def data():
    return rings(96)


def images(count=64):
    """Return images for `stacked_network` whose brightest third is their class."""
    points = np.random.default_rng(0).random((count, 36)).astype(np.float32)
    return points, points.reshape(count, 3, 12).sum(axis=2).argmax(axis=1)


def all_weights(network: Network) -> list[np.ndarray]:
    return [part.linear_map.to_csr().toarray() for part in prunable_maps(network)] + [n.bias for n in network.affines]


def assert_same(one, other):
    assert one.history == other.history
    assert one.rates == other.rates
    assert all(np.array_equal(one.mask.kept[key], other.mask.kept[key]) for key in one.mask.kept)
    for a, b in zip(all_weights(one.network), all_weights(other.network), strict=True):
        np.testing.assert_array_equal(a, b)


def test_learned_rates_meet_the_target(data):
    result = harp(small_network(), *data, keep=0.3, **(QUICK | {"epochs": 12, "gamma": 0.5, "finetune_epochs": 3}))
    assert result.target_met
    assert not result.notices
    assert result.mask.weights_kept <= 0.3 * result.mask.weights
    assert result.kept == pytest.approx(result.mask.weights_kept / result.mask.weights)
    pruned = [epoch for epoch in result.history if epoch.stage == "prune"]
    gammas = [epoch.gamma for epoch in pruned]
    met = [epoch.hardware_loss < 5e-3 for epoch in pruned].index(True)
    np.testing.assert_allclose(gammas[: met + 1], 0.5 * np.arange(1, met + 2))
    assert set(gammas[met:]) == {gammas[met]}
    assert pruned[0].rates != pruned[-1].rates


def test_the_defaults_meet_the_target_in_few_epochs(data):
    few = {"epsilon": 0.02, "attack_steps": 2, "batch": 16, "epochs": 8, "finetune_epochs": 1}
    result = harp(small_network(), *data, keep=0.08, **few)
    assert result.target_met
    assert result.history[0].gamma == 0.25
    assert result.mask.weights_kept == int(0.08 * result.mask.weights)


def test_rates_that_fell_too_far_are_raised(data):
    result = harp(small_network(), *data, keep=0.08, **(QUICK | {"epochs": 8, "gamma": 50.0}))
    assert any("less than asked for, and were raised by one factor" in notice for notice in result.notices)
    assert result.mask.weights_kept == int(0.08 * result.mask.weights)


def test_a_missed_target_is_reported(data):
    result = harp(small_network(), *data, keep=0.05, **(QUICK | {"epochs": 1, "gamma": 1e-6}))
    assert not result.target_met
    assert "the target was missed" in result.notices[-1]
    assert "0.05 was asked for" in result.notices[-1]
    assert result.kept > 0.05


@pytest.mark.parametrize("start", ["uniform", "lamp", "erk"])
def test_fixed_rates_are_those_of_the_start(data, start):
    result = harp(small_network(), *data, keep=0.25, start=start, learn_rates=False, **QUICK)
    assert result.kept <= 0.25
    assert result.kept > 0.2
    if start == "uniform":
        assert result.rates == {"layer1.affine": 0.25, "layer2.affine": 0.25, "output.affine": 0.25}
    else:
        assert len(set(result.rates.values())) > 1


def test_nothing_learned_keeps_the_largest_weights(data):
    network = small_network()
    result = harp(network, *data, keep=0.25, learn_rates=False, epochs=0, finetune_epochs=0)
    assert result.dense is network
    for part in prunable_maps(network):
        size = np.abs(part.weights)
        assert size[result.mask.kept[part.key]].min() > size[~result.mask.kept[part.key]].max()
    x = np.random.default_rng(0).random((20, 2))
    np.testing.assert_allclose(
        result.network.forward(x), apply_mask(network, result.mask).forward(x), rtol=1e-5, atol=1e-5
    )


def test_only_kept_weights_are_left_and_they_are_trained(data):
    network = small_network()
    result = harp(network, *data, keep=0.3, **QUICK)
    result.mask.require(network)
    trained = {part.key: part for part in prunable_maps(result.network)}
    for part in prunable_maps(network):
        kept = result.mask.kept[part.key]
        found = trained[part.key].linear_map.to_csr().toarray()
        assert not found[~kept].any()
        assert (found[kept] != part.weights[kept].astype(np.float32)).any()


@pytest.mark.parametrize("structure", ["weights", "channels"])
@pytest.mark.parametrize("loss", ["pgd-at", "trades", "mart"])
def test_going_on_from_a_file_is_as_if_never_stopped(tmp_path, structure, loss):
    options = HarpOptions(keep=0.3, pretrain_epochs=1, structure=structure, loss=loss, seed=3, **QUICK)
    network, (x, y), path = stacked_network(), images(), tmp_path / "state.npz"
    training = HarpTraining(network, x, y, options)
    epochs = list(training.epochs())
    assert [epoch.stage for epoch in epochs] == ["pretrain"] + 3 * ["prune"] + 2 * ["finetune"]
    HarpTraining(network, x, y, options).save(path)
    for done in range(7):  # a new process every epoch
        again = HarpTraining(network, x, y, options)
        again.load(path)
        assert again.state.history == epochs[:done]
        if not again.done:
            again.run_epoch()
            again.save(path)
    assert again.done
    assert_same(training.result(), again.result())


def test_seeds_tell_trainings_apart(data):
    one, same, other = (harp(small_network(), *data, keep=0.3, seed=seed, **QUICK) for seed in (1, 1, 2))
    assert_same(one, same)
    assert one.history != other.history


def test_channels_go_as_wholes():
    result = harp(stacked_network(), *images(), keep=0.4, structure="channels", gamma=1.0, **(QUICK | {"epochs": 12}))
    first, second = result.mask.kept["conv1"], result.mask.kept["conv2"]
    stays = first.any(axis=(1, 2, 3))
    assert (first.all(axis=(1, 2, 3)) == stays).all()
    assert not second[:, ~stays].any()
    assert second[np.ix_(second.any(axis=(1, 2, 3)), stays)].all()
    assert result.rates["conv1"] == stays.mean()
    assert result.mask.kept["output"].any(axis=0).tolist() == result.mask.kept["dense"].any(axis=1).tolist()
    assert result.target_met == (result.kept <= 0.4)


def test_masks_are_made_once_a_step_whatever_the_attack(data, monkeypatch):
    calls = []
    make = Selector.keep_largest
    monkeypatch.setattr(Selector, "keep_largest", lambda *arguments: calls.append(1) or make(*arguments))
    harp(small_network(), *data, keep=0.3, **(QUICK | {"attack_steps": 9}))
    assert len(calls) == 3 * 3 + 1  # epochs times batches, and the mask that stays


def test_a_pretrained_network_is_what_the_mask_is_about(data):
    network = small_network()
    result = harp(network, *data, keep=0.3, pretrain_epochs=2, **QUICK)
    result.mask.require(result.dense)
    assert result.dense.sha256 != network.sha256
    assert TorchNetwork(result.dense).weights == TorchNetwork(network).weights


def test_a_mask_without_a_path_gets_one_back(data):
    network = small_network()
    result = harp(network, *data, keep=3.5 / 320, learn_rates=False, epochs=0, finetune_epochs=1, epsilon=0.02)
    x = np.random.default_rng(0).random((50, 2))
    assert np.ptp(apply_mask(network, result.mask).forward(x), axis=0).max() > 0.0 or result.notices


def test_a_diverging_training_says_so(data):
    with pytest.raises(InputError, match="smaller learning rate"):
        harp(small_network(), *data, keep=0.3, finetune_learning_rate=1e20, **QUICK)


def test_states_of_other_trainings_are_refused(tmp_path, data):
    path = tmp_path / "state.npz"
    options = HarpOptions(keep=0.3, **QUICK)
    HarpTraining(small_network(), *data, options).save(path)
    with pytest.raises(InputError, match=r"^\S+ is the state of a training with keep 0\.3 and 0\.4 was asked for"):
        HarpTraining(small_network(), *data, HarpOptions(keep=0.4, **QUICK)).load(path)
    with pytest.raises(InputError, match="with network"):
        HarpTraining(small_network(1), *data, options).load(path)
    with pytest.raises(InputError, match="with data"):
        HarpTraining(small_network(), data[0], 1 - data[1], options).load(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="does not hold the state of a training"):
        HarpTraining(small_network(), *data, options).load(path)
    with pytest.raises(InputError, match="cannot be written"):
        HarpTraining(small_network(), *data, options).save(tmp_path / "none" / "state.npz")


def test_results_come_at_the_end(data):
    training = HarpTraining(small_network(), *data, HarpOptions(keep=0.3, **QUICK))
    with pytest.raises(InputError, match="stands in the stage 'prune'"):
        training.result()
    list(training.epochs())
    with pytest.raises(InputError, match="is done"):
        training.run_epoch()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"loss": "hinge"}, "loss='hinge' is unknown; choose one of natural, pgd-at, trades, mart"),
        ({"start": "random"}, "start='random' is unknown"),
        ({"structure": "rows"}, "structure='rows' is unknown"),
        ({"device": "tpu"}, "device='tpu' is unknown"),
        ({"keep": 0.0}, r"keep=0.0 is not in \(0, 1\)"),
        ({"epochs": -1}, "epochs is -1; give a whole number, at least 0"),
        ({"batch": 0}, "batch is 0; give a whole number, at least 1"),
        ({"epsilon": float("nan")}, "epsilon=nan is not a positive number"),
        ({"gamma": 0.0}, "gamma=0.0 is not a positive number"),
        ({"beta": -1.0}, "beta=-1.0 is negative"),
        ({"lower": 1.0, "upper": 1.0}, "is empty"),
        ({"structure": "channels", "start": "erk"}, "channels start uniform"),
    ],
)
def test_bad_options_are_refused(option, said):
    with pytest.raises(InvalidOptionError, match=said):
        HarpOptions(**({"keep": 0.5} | option))
