"""The commands as a user calls them: what they print, where, and with which exit status."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import highspy
import numpy as np
import pytest
from command_line import NETWORK, call, vnnlib_of

from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.build import from_weights
from netopt.network.load import load_network
from netopt.network.onnx_writer import write_onnx
from netopt.specification.box import Box
from netopt.specification.property import Case, Conjunction, Property
from netopt.specification.vnnlib_writer import write_vnnlib


def test_sat_prints_the_witness_in_vnncomp_form(onnx: Path, tmp_path: Path) -> None:
    result = call("verify", onnx, vnnlib_of(tmp_path / "p.vnnlib", 0.9), "--results-file", tmp_path / "r.txt")
    assert result.exit_code == 0
    first, witness = result.stdout.split("\n", 1)
    assert first == "sat"
    assert (tmp_path / "r.txt").read_text() == result.stdout
    pairs = dict(re.findall(r"\((\w_\d) ([^)]+)\)", witness))
    assert list(pairs) == ["X_0", "Y_0", "Y_1"]
    assert witness.startswith("((X_0 ")
    assert witness.rstrip().endswith("))")
    x, y = float(pairs["X_0"]), float(pairs["Y_0"])
    assert -1.0 <= x <= 0.75
    assert np.float32(x) == x
    assert y == NETWORK.forward([x])[0]
    assert y >= 0.9


def test_unsat_and_json(onnx: Path, tmp_path: Path) -> None:
    prop = vnnlib_of(tmp_path / "p.vnnlib", 1.5, 1.25)
    result = call("verify", onnx, prop, "--results-file", tmp_path / "r.txt")
    assert (result.exit_code, result.stdout) == (0, "unsat\n")
    assert (tmp_path / "r.txt").read_text() == "unsat\n"
    result = call("verify", onnx, prop, "--json", "--bounds", "interval", "--formulation", "partition:2", "--seed", "3")
    content = json.loads(result.stdout)
    assert result.exit_code == 0
    assert content["schema"] == 1
    assert content["command"] == "verify"
    assert content["status"] == "unsat"
    assert content["witness"] is None
    assert content["dual_bound"] < -1e-6
    assert content["network_sha256"] == load_network(onnx).sha256
    assert {stage["name"] for stage in content["stages"]} >= {"read"}


@pytest.mark.parametrize("solver", ["auto", "native"])
def test_the_native_engine_is_one_of_the_solvers(tmp_path: Path, solver: str) -> None:
    hidden = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]
    onnx, prop = tmp_path / "ridge.onnx", tmp_path / "p.vnnlib"
    write_onnx(from_weights([hidden, [[1.0] * 4 + [-1.0] * 4]], [np.zeros(8), [0.0]]), onnx)  # at most 0
    above = Conjunction(np.array([[-1.0]]), np.array([-0.2]))  # open after CROWN
    write_vnnlib(Property((Case(Box(-np.ones(2), np.full(2, 0.9)), (above,)),), 2, 1), prop)
    result = call("verify", onnx, prop, "--solver", solver, "--json")
    content = json.loads(result.stdout)
    assert (result.exit_code, content["status"]) == (0, "unsat")
    assert {stage["name"] for stage in content["stages"]} >= {"branch"}
    assert all(name.endswith("splitting") for name in content["proved_by"])
    assert not any("solver" in stage for stage in content["stages"])
    result = call("maximize", onnx, "--lower", "-1", "--upper", "0.9", "--gap", "0.5", "--solver", solver, "--json")
    content = json.loads(result.stdout)
    assert (result.exit_code, content["status"]) == (0, "optimal")
    assert content["dual_bound"] >= content["primal_bound"] > -1e-6


def test_a_second_solver_confirms_a_proof(onnx: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyscipopt")
    prop = vnnlib_of(tmp_path / "p.vnnlib", 1.0001)
    result = call("verify", onnx, prop, "--bounds", "interval", "--confirm", "scip", "--json")
    content = json.loads(result.stdout)
    assert (result.exit_code, content["status"]) == (0, "unsat")
    assert content["confirmed_by"].lower().startswith("scip")


def test_compressed_files_are_read_as_they_are(onnx: Path, tmp_path: Path) -> None:
    prop = vnnlib_of(tmp_path / "p.vnnlib", 2.0)
    for path in (onnx, prop):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    result = call("verify", f"{onnx}.gz", f"{prop}.gz")
    assert (result.exit_code, result.stdout) == (0, "unsat\n")


QUERY = """\
(vnnlib-version <2.0>)
(declare-network N
  (declare-input A float32 [1,1])
  (declare-output B float32 [1,2])
)
(assert (and (>= A[0,0] -1.0) (<= A[0,0] 0.75)))
(assert (>= B[0,0] {bound}))
"""


def test_the_vnnlib_2_call(onnx: Path, tmp_path: Path) -> None:
    query = tmp_path / "q.vnnlib"
    query.write_text(QUERY.format(bound=0.9))
    result = call("verify", query, "--network", f"N={onnx}", "--timeout", "30")
    assert result.exit_code == 0, result.output
    verdict, declared_x, x, declared_y, *y = text = result.stdout.splitlines()
    assert (verdict, declared_x, declared_y) == ("sat", "A float32 [1,1]", "B float32 [1,2]")
    assert [float(value) for value in y] == NETWORK.forward([float(x)]).tolist()
    results = tmp_path / "results.txt"  # the two files alone, as the competition's script gives them
    assert call("verify", onnx, query, "--results-file", results).stdout.splitlines() == text
    assert results.read_text().splitlines() == text
    query.write_text(QUERY.format(bound=1.5))
    assert call("verify", query, "--network", f"N={onnx}", "--timeout", "30").stdout == "unsat\n"
    wrong = call("verify", query, "--network", f"M={onnx}")
    assert wrong.exit_code == 2
    assert "needs --network N=NET.onnx" in wrong.stderr


@pytest.mark.parametrize(
    ("options", "primal", "x"),
    [
        (["--output", "0"], 2.0, -2.0),
        (["--output", "1"], 0.0, 0.0),
        (["--output", "0", "--minimize"], 0.0, 0.0),
        (["--weights", "0,-2"], 2.0, -2.0),
        (["--weights=-1,0"], 0.0, 0.0),
    ],
)
def test_maximize(onnx: Path, tmp_path: Path, options: list[str], primal: float, x: float) -> None:
    arguments = ["maximize", onnx, "--lower", "-2", "--upper", "1", *options]
    result = call(*arguments, "--results-file", tmp_path / "r.txt")
    assert result.exit_code == 0, result.output
    status, first, second = result.stdout.splitlines()
    assert status == "optimal"
    assert first.startswith("primal_bound ")
    assert second.startswith("dual_bound ")
    assert float(first.split()[1]) == pytest.approx(primal, abs=1e-5)
    assert float(second.split()[1]) == pytest.approx(primal, abs=1e-4)
    assert (tmp_path / "r.txt").read_text().startswith(result.stdout + "((X_0 ")
    content = json.loads(call(*arguments, "--json").stdout)
    assert content["status"] == "optimal"
    assert content["witness"]["x"] == pytest.approx([x], abs=1e-4)


def test_maximize_over_a_property_and_over_nothing(onnx: Path, tmp_path: Path) -> None:
    prop = vnnlib_of(tmp_path / "p.vnnlib", 0.0)
    result = call("maximize", onnx, "--property", prop, "--output", "0")
    assert result.stdout.splitlines()[0] == "optimal"
    assert float(result.stdout.splitlines()[1].split()[1]) == pytest.approx(1.0)
    result = call("maximize", onnx, "--lower", "1", "--upper", "0", "--output", "0")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "infeasible")
    assert "none" in result.stdout


def test_info(onnx: Path) -> None:
    result = call("info", onnx)
    assert result.exit_code == 0
    assert f"sha256: {load_network(onnx).sha256}" in result.stdout
    assert "relus: 2\n" in result.stdout
    assert "unstable" not in result.stdout
    result = call("info", onnx, "--lower", "0.5", "--upper", "1", "--json")
    content = json.loads(result.stdout)
    assert (content["relus"], content["unstable"], content["bounds"]) == (2, 0, "crown")
    assert [layer["kind"] for layer in content["layers"]] == ["affine", "relu", "affine"]
    assert (
        "unstable: 2 (bounds: interval)"
        in call("info", onnx, "--lower", "-1", "--upper", "1", "--bounds", "interval").stdout
    )


def test_info_encloses_several_input_regions(onnx: Path, tmp_path: Path) -> None:
    row = (Conjunction(np.array([[-1.0, 0.0]]), np.array([-1.0])),)
    boxes = [Box(np.array([low]), np.array([low + 0.5])) for low in (-1.0, 0.5)]
    write_vnnlib(Property(tuple(Case(box, row) for box in boxes), 1, 2), tmp_path / "p.vnnlib")
    content = json.loads(call("info", onnx, "--property", tmp_path / "p.vnnlib", "--json").stdout)
    assert content["unstable"] == 2
    refused = call("maximize", onnx, "--property", tmp_path / "p.vnnlib", "--output", "0")
    assert refused.exit_code == 2
    assert "has 2 input regions where one is needed" in refused.stderr


def test_bounds_are_printed_and_saved(onnx: Path, tmp_path: Path) -> None:
    result = call("bounds", onnx, "--lower=-1", "--upper=2", "--bounds", "lp", "--save", tmp_path / "b.npz")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("bounds: lp\nunstable: 2\n")
    saved = PreactivationBounds.load(tmp_path / "b.npz")
    assert saved.level == "lp"
    assert saved.output_upper[0] >= 2.0
    np.save(tmp_path / "lower.npy", np.array([-1.0], dtype=np.float32))
    content = json.loads(call("bounds", onnx, "--lower", tmp_path / "lower.npy", "--upper", "2", "--json").stdout)
    assert content["layers"][0]["unstable"] == 2
    assert content["output_upper"][0] >= 2.0


def solved(path: Path) -> float:
    highs = highspy.Highs()
    highs.silent()
    assert highs.readModel(str(path)) == highspy.HighsStatus.kOk
    highs.run()
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(highs.getInfo().objective_function_value)


@pytest.mark.parametrize("suffix", [".mps", ".lp"])
@pytest.mark.parametrize("form", ["big-m", "multiple-choice", "partition:2"])
def test_formulate_writes_the_problem(onnx: Path, tmp_path: Path, suffix: str, form: str) -> None:
    file = tmp_path / f"model{suffix}"
    common = [onnx, file, "--lower", "-2", "--upper", "1", "--formulation", form]
    result = call("formulate", *common, "--output", "0")
    assert result.exit_code == 0, result.output
    assert re.match(rf"{re.escape(str(file))}: \d+ rows, \d+ columns, .* 2 binaries", result.stdout)
    assert "layer1.relu.z.0" in file.read_text()
    assert solved(file) == pytest.approx(2.0, abs=1e-5)
    assert call("formulate", *common, "--weights", "1,1", "--minimize").exit_code == 0
    assert solved(file) == pytest.approx(0.0, abs=1e-5)
    prop = vnnlib_of(tmp_path / "p.vnnlib", 0.25, 1.5)
    assert call("formulate", onnx, file, "--property", prop, "--disjunct", "2").exit_code == 0
    assert solved(file) == pytest.approx(-0.5, abs=1e-5)
    content = json.loads(call("formulate", onnx, file, "--property", prop, "--disjunct", "1", "--json").stdout)
    assert (content["command"], content["binaries"]) == ("formulate", 2)
    assert solved(file) == pytest.approx(0.75, abs=1e-5)


def test_supports_answers_as_the_standard_asks() -> None:
    def answer(capability: str) -> list[str]:
        result = call("supports", f"--{capability}")
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()

    oldest, newest = map(int, answer("onnx-opset-versions"))
    assert oldest == 7
    assert newest > 13
    assert {"Conv", "Gemm", "Relu"} <= set(answer("onnx-operators"))
    assert answer("vnnlib-versions") == ["1.0", "2.0"]
    assert answer("arithmetic-complexity-theories") == ["LIN"]
    assert answer("serialise-assignments") == ["false"]
    assert call("supports", "--wings").exit_code == 2


def test_an_empty_domain_is_infeasible_and_told(onnx: Path) -> None:
    result = call("maximize", onnx, "--lower", "1", "--upper", "0", "--output", "0")
    assert (result.exit_code, result.stdout.split("\n", 1)[0]) == (0, "infeasible")
    assert result.stderr == "netopt: the domain is empty\n"
