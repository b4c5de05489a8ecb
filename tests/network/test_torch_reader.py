from __future__ import annotations

import numpy as np
import pytest

from netopt.errors import InputError, InvalidOptionError, UnsupportedOperatorError
from netopt.network.load import load_network

torch = pytest.importorskip("torch")
nn = torch.nn


def compare(module: torch.nn.Module, shape: tuple[int, ...], **options: object) -> None:
    network = load_network(module, **options)
    points = np.random.default_rng(3).normal(size=(5, *shape)).astype(np.float32)
    module.eval()
    with torch.no_grad():
        expected = module(torch.from_numpy(points)).numpy().reshape(5, -1)
    np.testing.assert_allclose(network.forward(points.reshape(5, -1)), expected, atol=1e-5)


def test_perceptron_needs_no_shape() -> None:
    torch.manual_seed(0)
    compare(nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 2)), (4,))


def test_convolutions_normalisation_and_pools() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 2, bias=False),
        nn.ReLU6(),
        nn.AvgPool2d(3, padding=1),
        nn.Flatten(),
        nn.Linear(4, 3),
        nn.Hardtanh(),
    )
    with torch.no_grad():
        module(torch.randn(20, 2, 8, 8))  # gives the normalisation statistics of its own
    compare(module, (2, 8, 8), input_shape=(2, 8, 8))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.first(x))
        return torch.cat([hidden - self.second(hidden), x.abs().amax(1, keepdim=True)], dim=1).clamp(max=2.0)


def test_residual_module() -> None:
    torch.manual_seed(0)
    compare(Residual(), (3,))


def test_module_keeps_its_modes_and_its_grad() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.ReLU())
    module[1].eval()
    load_network(module)
    assert [part.training for part in module] == [True, False, True]
    assert module[0].weight.requires_grad


def test_pruned_module_is_read_with_its_mask() -> None:
    from torch.nn.utils import prune

    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    prune.l1_unstructured(module[0], "weight", amount=0.5)
    compare(module, (4,))


def test_double_module_agrees_to_rounding() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1)).double()
    network = load_network(module)
    points = np.random.default_rng(3).normal(size=(5, 3))
    expected = module(torch.from_numpy(points)).detach().numpy()
    np.testing.assert_allclose(network.forward(points), expected, atol=1e-14)


def test_softmax_is_left_out_on_demand_only() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.LogSoftmax(dim=1))
    with pytest.raises(UnsupportedOperatorError, match="output='logits'"):
        load_network(module)
    network = load_network(module, output="logits")
    assert network.dropped_output == "log-softmax"
    np.testing.assert_allclose(network.forward(np.zeros(3)), module[0].bias.detach().numpy(), atol=1e-7)


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.layer(x)
        return hidden if float(hidden.sum()) > 0.0 else -hidden


def test_symbolic_export_where_tracing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no tracing")

    monkeypatch.setattr("netopt.network.torch_reader._export_by_tracing", fail)
    torch.manual_seed(0)
    compare(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), (3,))


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + torch.rand(3)


def test_branch_on_values_is_never_baked_in() -> None:
    with pytest.raises(InputError, match="depend"):
        load_network(Branching())


def test_chance_is_refused() -> None:
    with pytest.raises(InputError, match=r"random|operator netopt knows"):
        load_network(Noisy())


@pytest.mark.parametrize(
    ("module", "options"), [(nn.Conv2d(1, 1, 2), {}), (nn.ReLU(), {}), (nn.Linear(3, 1), {"input_shape": (4,)})]
)
def test_missing_or_wrong_shape_is_an_input_error(module: torch.nn.Module, options: dict[str, object]) -> None:
    with pytest.raises(InputError, match="input_shape"):
        load_network(module, **options)


def test_sigmoid_is_refused() -> None:
    with pytest.raises(UnsupportedOperatorError, match="Sigmoid"):
        load_network(nn.Sequential(nn.Linear(2, 2), nn.Sigmoid()))


def test_input_shape_is_for_modules(tmp_path: object) -> None:
    with pytest.raises(InvalidOptionError, match="input_shape"):
        load_network("a.onnx", input_shape=(3,))
