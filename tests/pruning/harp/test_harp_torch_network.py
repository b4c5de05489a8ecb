"""Networks in torch as functions of one vector of parameters."""

from __future__ import annotations

import numpy as np
import pytest
from harp_cases import residual_network, stacked_network
from pruned_cases import ALL

from netopt.pruning.harp.torch_network import TorchNetwork

torch = pytest.importorskip("torch")

NETWORKS = {**ALL, "residual": residual_network(), "stacked": stacked_network()}


@pytest.fixture(params=sorted(NETWORKS))
def model(request):
    return TorchNetwork(NETWORKS[request.param], double=True)


def points(model, count=40):
    return np.random.default_rng(1).normal(size=(count, model.network.input_size))


def test_outputs_are_those_of_the_network(model):
    x = points(model)
    found = model.forward(torch.from_numpy(x), model.parameters()).numpy()
    np.testing.assert_allclose(found, model.network.forward(x), rtol=1e-11, atol=1e-11)


def test_other_parameters_make_the_network_of_them(model):
    generator = np.random.default_rng(2)
    parameters = model.tensor(generator.normal(size=len(model.parameters())))
    parameters[::3] = 0.0  # zeros stay stored, so that masks of one fit the other
    changed = model.to_network(parameters)
    x = points(model)
    np.testing.assert_allclose(
        changed.forward(x), model.forward(torch.from_numpy(x), parameters).numpy(), rtol=1e-10, atol=1e-10
    )
    again = TorchNetwork(changed, double=True)
    assert [part.key for part in again.parts] == [part.key for part in model.parts]
    np.testing.assert_array_equal(again.parameters()[: again.weights], parameters[: model.weights])


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"degenerate"}))  # neurons at exactly zero have no slope
def test_gradients_are_slopes(name):
    model = TorchNetwork(NETWORKS[name], double=True)
    generator = np.random.default_rng(3)
    x = model.tensor(points(model, 6))
    parameters = model.parameters().requires_grad_()
    way = model.tensor(generator.normal(size=len(parameters)))
    weigh = model.tensor(generator.normal(size=(6, model.network.output_size)))

    def value(at):
        return (weigh * model.forward(x, at)).sum()

    (gradient,) = torch.autograd.grad(value(parameters), parameters)
    with torch.no_grad():
        slope = (value(parameters + 1e-7 * way) - value(parameters - 1e-7 * way)) / 2e-7
    assert float(gradient @ way) == pytest.approx(float(slope), rel=1e-4, abs=1e-4)


def test_what_moves_values_only_has_no_parameters():
    model = TorchNetwork(ALL["pooled"])
    assert [part.key for part in model.parts] == ["conv1", "conv2", "sparse", "output"]
    assert [node.name for node in model.biased] == ["conv1", "conv2", "sparse", "output"]
    assert model.bias_sizes.tolist() == [3, 4, 5, 2]
