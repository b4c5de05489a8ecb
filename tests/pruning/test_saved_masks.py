"""A saved mask as a pruning method: by name in prune, verify, maximize and embedded networks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from bound_cases import random_network
from click.testing import CliRunner, Result

from netopt.cli.main import app
from netopt.embedding.predictor import add_predictor_constr
from netopt.errors import InputError, InvalidOptionError
from netopt.network.load import load_network
from netopt.network.onnx_writer import write_onnx
from netopt.problems.surrogate.options import parse_surrogate
from netopt.pruning.apply import apply_mask, center_values
from netopt.pruning.mask import Mask
from netopt.pruning.prune import prune
from netopt.pruning.registry import find_method, parse_prune
from netopt.specification.box import Box

BOX = Box(np.full(4, -0.5), np.full(4, 0.5))
ENDS = ("--lower", "-0.5", "--upper", "0.5")


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    write_onnx(random_network(3, (4, 20, 10, 2)), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


@pytest.fixture
def mask(onnx: Path, tmp_path: Path) -> Path:
    """No method of netopt's own: every third weight."""
    network = load_network(onnx)
    kept = {
        key: np.arange(value.size).reshape(value.shape) % 3 == 0
        for key, value in prune(network, "random", 0.5).mask.kept.items()
    }
    Mask(kept, "by hand", 0.66, network.sha256).save(tmp_path / "mask.npz")
    return tmp_path / "mask.npz"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_what_a_mask_keeps_is_kept(onnx: Path, mask: Path) -> None:
    network = load_network(onnx)
    found = prune(network, f"mask:{mask}", domain=BOX)
    expected = apply_mask(network, Mask.load(mask), center_values(network, BOX))
    points = BOX.sample(np.random.default_rng(0), 50)
    np.testing.assert_array_equal(found.network.forward(points), expected.forward(points))
    plain = prune(network, f"mask:{mask}")
    np.testing.assert_array_equal(plain.network.forward(points), apply_mask(network, Mask.load(mask)).forward(points))


def test_a_mask_is_named_wherever_a_method_is(mask: Path) -> None:
    assert parse_prune(f"mask:{mask}") == (f"mask:{mask}", 0.0)
    assert parse_surrogate(f"mask:{mask}").rungs[0].label == f"mask:{mask}"
    assert not find_method(f"mask:{mask}").takes_rate
    with pytest.raises(InvalidOptionError, match="mask:FILE for a saved mask"):
        find_method("mask")


def test_the_commands_take_it(onnx: Path, mask: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.onnx"
    result = call("prune", onnx, "--method", f"mask:{mask}", *ENDS, "-o", small)
    assert result.exit_code == 0, result.output
    weights = Mask.load(mask)
    assert f"weights: 300 -> {weights.weights_kept} " in result.stdout
    result = call("maximize", onnx, *ENDS, "--output", "0", "--prune", f"mask:{mask}", "--json")
    content = json.loads(result.stdout)
    network = load_network(onnx)
    point = np.array(content["witness"]["x"])
    assert content["primal_bound"] == pytest.approx(network.forward(point)[0])
    assert content["dual_bound"] is None or content["dual_bound"] >= content["primal_bound"]
    sampled = network.forward(BOX.sample(np.random.default_rng(0), 2000))[:, 0].max()
    assert content["dual_bound"] is None or content["dual_bound"] >= sampled


def test_an_embedded_network_takes_it(onnx: Path, mask: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pyo = pytest.importorskip("pyomo.environ")
    model = pyo.ConcreteModel()
    model.x, model.y = pyo.Var(range(4), bounds=(-0.5, 0.5)), pyo.Var(range(2))
    prediction = add_predictor_constr(model, onnx, model.x, model.y, surrogate=f"mask:{mask}")
    prediction.print_stats()
    shown = re.search(r"sparse surrogate: (\d+) of (\d+) weights", capsys.readouterr().out)
    assert shown is not None
    assert int(shown[1]) < 0.5 * int(shown[2])


def test_masks_of_other_networks_and_no_masks_are_refused(onnx: Path, mask: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mask belongs to the network with digest"):
        prune(random_network(4, (4, 20, 10, 2)), f"mask:{mask}")
    with pytest.raises(InputError, match="does not hold a mask"):
        prune(load_network(onnx), f"mask:{tmp_path / 'absent.npz'}")
    result = call("prune", onnx, "--method", f"mask:{onnx}", *ENDS)
    assert result.exit_code == 2
    assert "does not hold a mask" in result.stderr
