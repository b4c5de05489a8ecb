"""Attacks stay where they may go and get somewhere; losses are those of their papers, recomputed plainly."""

from __future__ import annotations

import numpy as np
import pytest
from harp_cases import rings, small_network
from scipy.special import log_softmax, softmax

from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.pruning.harp.accuracy import read_rightly
from netopt.pruning.harp.losses import LOSSES, Attack, attacked
from netopt.pruning.harp.torch_network import TorchNetwork

torch = pytest.importorskip("torch")

ATTACK = Attack(epsilon=0.2, step=0.05, steps=10, lower=0.1, upper=0.9)


@pytest.fixture
def problem():
    network = small_network(3)
    model = TorchNetwork(network, double=True)
    parameters = model.parameters()
    points, labels = rings(64)
    x = torch.from_numpy(0.1 + 0.8 * points.astype(np.float64))
    return (lambda z: model.forward(z, parameters)), x, torch.from_numpy(labels), network


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def cross_entropy(scores, labels):
    return -log_softmax(scores, axis=1)[np.arange(len(labels)), labels]


def test_attacked_points_stay_in_ball_and_range_and_are_worse(problem):
    predict, x, labels, network = problem
    point = attacked(ATTACK, predict, x, labels, generator())
    assert float((point - x).abs().max()) <= ATTACK.epsilon + 1e-12
    assert float(point.min()) >= ATTACK.lower
    assert float(point.max()) <= ATTACK.upper
    before = cross_entropy(network.forward(x.numpy()), labels.numpy())
    after = cross_entropy(network.forward(point.numpy()), labels.numpy())
    assert after.mean() > before.mean() + 0.02
    start = ATTACK.random_start(x, generator())
    assert after.mean() > cross_entropy(network.forward(start.numpy()), labels.numpy()).mean()


def test_attack_on_an_affine_network_finds_the_worst_corner():
    network = from_weights([[[1.0, -2.0, 0.5], [0.0, 1.0, 0.0]]], [[0.0, 0.0]])
    model = TorchNetwork(network, double=True)
    x = torch.tensor([[0.5, 0.5, 0.05]], dtype=torch.float64)
    attack = Attack(epsilon=0.1, step=0.05, steps=10)
    point = attacked(attack, lambda z: model.forward(z, model.parameters()), x, torch.tensor([0]), generator())
    np.testing.assert_allclose(point.numpy(), [[0.4, 0.6, 0.0]], atol=1e-12)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_losses_are_their_formulas(problem, name):
    predict, x, labels, network = problem
    loss, beta = LOSSES[name]
    value, moved = loss(ATTACK, beta, predict, x, labels, generator())
    natural, moved, y = network.forward(x.numpy()), moved.detach().numpy(), labels.numpy()
    p = softmax(natural, axis=1)
    divergence = (p * (log_softmax(natural, axis=1) - log_softmax(moved, axis=1))).sum(axis=1)
    other = np.where(np.arange(2) == y[:, None], 0.0, softmax(moved, axis=1)).max(axis=1)
    expected = {
        "natural": cross_entropy(natural, y),
        "pgd-at": cross_entropy(moved, y),
        "trades": cross_entropy(natural, y) + 6.0 * divergence,
        "mart": cross_entropy(moved, y) - np.log(1.0 - other) + 5.0 * divergence * (1.0 - p[np.arange(64), y]),
    }
    assert float(value.detach()) == pytest.approx(expected[name].mean(), rel=1e-4)
    if name != "natural":
        assert np.abs(moved - natural).max() > 1e-3


def test_losses_have_gradients_of_the_parameters():
    model = TorchNetwork(small_network(1), double=True)
    points, labels = rings(16)
    x = torch.from_numpy(points.astype(np.float64))
    for loss, beta in LOSSES.values():
        parameters = model.parameters().requires_grad_()
        value, _ = loss(
            Attack(0.05, 0.02, 3),
            beta,
            lambda z, at=parameters: model.forward(z, at),
            x,
            torch.from_numpy(labels),
            generator(),
        )
        (gradient,) = torch.autograd.grad(value, parameters)
        assert float(gradient.abs().max()) > 0.0


def reach(points, labels):
    """Return by how much x_0 - x_1 can be moved towards the other class within 0.1 and the unit square."""
    up, down = np.minimum(0.1, 1.0 - points), np.minimum(0.1, points)
    return np.where(labels == 0, down[:, 0] + up[:, 1], up[:, 0] + down[:, 1])


def test_accuracy_counts_points_and_attacks_only_lower_it():
    network = from_weights([[[1.0, -1.0], [-1.0, 1.0]]], [[0.1, 0.0]])
    points, _ = rings(200)
    labels = (points[:, 0] < points[:, 1]).astype(int)
    plain = read_rightly(network, points, labels)
    np.testing.assert_array_equal(plain, network.forward(points).argmax(axis=1) == labels)
    under_attack = read_rightly(network, points, labels, Attack(0.1, 0.02, 20))
    assert not (under_attack & ~plain).any()
    margin = np.where(labels == 0, 1.0, -1.0) * (points[:, 0] - points[:, 1] + 0.05)
    np.testing.assert_array_equal(under_attack, margin - reach(points, labels) > 0.0)
    np.testing.assert_array_equal(under_attack, read_rightly(network, points, labels, Attack(0.1, 0.02, 20)))


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (np.zeros((3, 5)), [0, 1, 0], "do not fit the network's 2 inputs"),
        (np.zeros((0, 2)), [], "do not fit the network's 2 inputs"),
        (np.array([["a", "b"]]), [0], "give an array of numbers"),
        (np.full((2, 2), 255.0), [0, 1], "range from 255 to 255"),
        (np.array([[0.0, np.nan]]), [0], "range from nan to nan"),
        (np.zeros((2, 2)), [0, 2], "labels from 0 to 2 do not fit a network with 2 outputs"),
        (np.zeros((2, 2)), [-1, 0], "labels from -1 to 0"),
        (np.zeros((2, 2)), [0.0, 1.0], "give one whole number an image"),
        (np.zeros((2, 2)), [0], "do not fit 2 images"),
    ],
)
def test_bad_data_is_refused(images, labels, said):
    with pytest.raises(InputError, match=said):
        read_rightly(small_network(), images, labels, Attack(0.1, 0.1, 1))
