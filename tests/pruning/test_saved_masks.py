"""A saved mask as a pruning method: by name in prune, verify, maximize and embedded networks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from bound_cases import random_network
from command_line import call

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


@pytest.mark.parametrize("bounds", ["crown", "interval"])
def test_an_embedded_network_with_scaled_and_fixed_inputs_takes_it(onnx: Path, mask: Path, bounds: str) -> None:
    pyo = pytest.importorskip("pyomo.environ")
    model = pyo.ConcreteModel()
    model.x, model.y = pyo.Var(range(4), bounds=(-50.0, 50.0)), pyo.Var(range(2))
    model.x[3].fix(10.0)
    model.z = pyo.Objective(expr=model.y[0], sense=pyo.maximize)
    scaling = (np.zeros(4), np.array([100.0, 100.0, 200.0, 100.0]))
    call = {"input_scaling": scaling, "bounds": bounds, "surrogate": f"mask:{mask}"}
    prediction = add_predictor_constr(model, onnx, model.x, model.y, **call)
    pyo.SolverFactory("appsi_highs").solve(model)
    values = np.array([[model.x[k].value for k in range(4)]])
    network = load_network(onnx)
    assert prediction.get_error(against="surrogate").max() < 1e-5
    written = np.array([model.y[k].value for k in range(2)])
    lost = np.abs(written - network.forward(values / scaling[1])[0])
    assert lost.max() > 0.0
    np.testing.assert_allclose(prediction.get_error().ravel(), lost, atol=1e-9)
    other = pyo.ConcreteModel()
    other.x, other.y = pyo.Var(range(4), bounds=(-50.0, 50.0)), pyo.Var(range(2))
    with pytest.raises(InputError, match="mask belongs to the network with digest"):
        add_predictor_constr(other, random_network(4, (4, 20, 10, 2)), other.x, other.y, **call)


@pytest.mark.parametrize(("above", "status"), [(0.02, "unknown"), (-0.002, "sat")])
def test_verify_searches_it_and_answers_about_the_network(
    onnx: Path, mask: Path, tmp_path: Path, above: float, status: str
) -> None:
    network = load_network(onnx)
    top = json.loads(call("maximize", onnx, *ENDS, "--output", "0", "--json").stdout)["dual_bound"]
    lines = [f"(declare-const X_{k} Real)\n(assert (>= X_{k} -0.5))\n(assert (<= X_{k} 0.5))" for k in range(4)]
    lines += [f"(declare-const Y_{k} Real)" for k in range(2)]
    lines += [f"(assert (or (and (>= Y_0 {top + above})) (and (>= Y_0 {top + above}) (>= Y_1 5.0))))"]
    (tmp_path / "p.vnnlib").write_text("\n".join(lines))
    result = call("verify", onnx, tmp_path / "p.vnnlib", "--prune", f"mask:{mask}", "--solver", "highs", "--json")
    content = json.loads(result.stdout)
    assert (content["status"], result.exit_code) == (status, {"sat": 0, "unknown": 3}[status])
    if status == "sat":
        assert network.forward(np.array(content["witness"]["x"]))[0] >= top + above
    else:
        searched = [stage for stage in content["stages"] if stage.get("pruning") == f"mask:{mask}"]
        assert searched[0]["removed"] == pytest.approx(Mask.load(mask).removed)
        assert any("proves nothing of the network itself" in notice for notice in content["notices"])


def test_what_bounds_decide_is_not_searched_but_the_mask_is_checked(onnx: Path, mask: Path, tmp_path: Path) -> None:
    lines = [f"(declare-const X_{k} Real)\n(assert (>= X_{k} 0.0))\n(assert (<= X_{k} 1e-3))" for k in range(4)]
    lines += ["(declare-const Y_0 Real)", "(declare-const Y_1 Real)", "(assert (>= Y_0 1e6))"]
    (tmp_path / "p.vnnlib").write_text("\n".join(lines))
    write_onnx(random_network(5, (4, 20, 10, 2)), tmp_path / "other.onnx")
    assert call("verify", onnx, tmp_path / "p.vnnlib", "--prune", f"mask:{mask}").stdout == "unsat\n"
    for network, file, words in [
        (onnx, tmp_path / "absent.npz", "does not hold a mask written by netopt"),
        (tmp_path / "other.onnx", mask, "mask belongs to the network with digest"),
    ]:
        for result in (
            call("verify", network, tmp_path / "p.vnnlib", "--prune", f"mask:{file}"),
            call("maximize", network, *ENDS, "--output", "0", "--prune", f"mask:{file}"),
        ):
            assert result.exit_code == 2
            assert words in result.stderr


def test_the_masks_of_a_random_network_say_so(onnx: Path, tmp_path: Path) -> None:
    masks = tmp_path / "ticket.npz"
    call("ticket", onnx, "--width", "8", "--dimension", "4", "--effort", "quick", "--mask", masks)
    result = call("prune", onnx, "--method", f"mask:{masks}")
    assert result.exit_code == 2
    assert "are those of a ticket's random network; use the ticket's own .onnx file" in result.stderr


def test_masks_of_other_networks_and_no_masks_are_refused(onnx: Path, mask: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mask belongs to the network with digest"):
        prune(random_network(4, (4, 20, 10, 2)), f"mask:{mask}")
    with pytest.raises(InputError, match="does not hold a mask"):
        prune(load_network(onnx), f"mask:{tmp_path / 'absent.npz'}")
    result = call("prune", onnx, "--method", f"mask:{onnx}", *ENDS)
    assert result.exit_code == 2
    assert "does not hold a mask" in result.stderr
