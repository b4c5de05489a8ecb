"""The commands as a user calls them: what they print, where, and with which exit status."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import highspy
import numpy as np
import pytest
from command_line import call

from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.build import from_weights
from netopt.network.load import load_network
from netopt.network.onnx_writer import write_onnx
from netopt.specification.box import Box
from netopt.specification.property import Case, Conjunction, Property
from netopt.specification.vnnlib_writer import write_vnnlib

#: (|x|, -|x| / 2) for x in R.
NETWORK = from_weights([[[1.0], [-1.0]], [[1.0, 1.0], [-0.5, -0.5]]], [[0.0, 0.0], [0.0, 0.0]])


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    write_onnx(NETWORK, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def vnnlib_of(path: Path, *bounds: float) -> Path:
    """Write ``y0 >= bound`` for -1 <= x <= 0.75, one disjunct a bound."""
    rows = tuple(Conjunction(np.array([[-1.0, 0.0]]), np.array([-bound])) for bound in bounds)
    write_vnnlib(Property((Case(Box(np.array([-1.0]), np.array([0.75])), rows),), 1, 2), path)
    return path


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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify", "NET"], "verify takes NET.onnx and PROP.vnnlib, 1 file was given"),
        (["verify", "NET", "PROP", "PROP"], "3 files were given"),
        (["verify", "absent.onnx", "PROP"], "absent.onnx"),
        (["verify", "NET", "absent.vnnlib"], "property file absent.vnnlib does not exist"),
        (["verify", "NET", "."], "Is a directory"),
        (["verify", "NET", "NET"], "which is not text"),
        (["verify", "PROP", "NET"], "takes the network first"),
        (["verify", "NET", "PROP", "--solver", "cplexx"], "'cplexx'; take one of highs, gurobi, scip"),
        (["verify", "NET", "PROP", "--solver", "cplexx"], "or auto or native"),
        (["verify", "NET", "PROP", "--proof", "no/such/p.npz"], "no/such/p.npz cannot be written"),
        (["verify", "NET", "PROP", "--results-file", "."], ". cannot be written"),
        (["maximize", "NET", "--results-file", "no/such/r.txt"], "no/such/r.txt cannot be written"),
        (["formulate", "NET", "no/such/m.lp"], "no/such/m.lp cannot be written"),
        (
            ["verify", "NET", "PROP", "--solver", "native", "--prune", "ladder"],
            "pruned networks are searched by a MILP",
        ),
        (["verify", "NET", "PROP", "--device", "tpu"], "unknown device 'tpu'; choose one of cpu, cuda"),
        (["verify", "NET", "PROP", "--formulation", "bigm"], "no formulation 'bigm'; choose one of"),
        (["verify", "NET", "PROP", "--formulation", "partition:0"], "positive number of groups, 0 was given"),
        (["verify", "NET", "PROP", "--formulation", "sos1"], "highs takes no sos1 rows"),
        (["verify", "NET", "PROP", "--prune", "x"], "pruning method 'x' is unknown"),
        (["verify", "NET", "PROP", "--bounds", "exact"], "'exact'; choose one of interval"),
        (["verify", "PROP", "--network", "N"], "is VNN-LIB 1.0 and names no network"),
        (["maximize", "NET", "--output", "0"], "give --lower and --upper, or --property"),
        (["maximize", "NET", "--lower", "0", "--upper", "1"], "has 2 outputs; choose one with --output"),
        (["maximize", "NET", "--lower", "0", "--upper", "1", "--output", "2"], "has the outputs 0 to 1"),
        (["maximize", "NET", "--lower", "0", "--upper", "1", "--weights", "1"], "gives 1 values and the network has 2"),
        (["maximize", "NET", "--lower", "0", "--upper", "x", "--output", "0"], "neither numbers nor a .npy file"),
        (
            ["maximize", "NET", "--lower", "0,0", "--upper", "1", "--output", "0"],
            "gives 2 values and the network has 1",
        ),
        (["maximize", "NET", "--lower", "0", "--upper", "inf", "--output", "0"], "give every input finite bounds"),
        (["maximize", "NET", "--lower", "0", "--property", "PROP", "--output", "0"], "give one of the two"),
        (
            ["maximize", "NET", "--lower", "0", "--upper", "1", "--output", "0", "--weights", "1,2"],
            "give one of the two",
        ),
        (["maximize", "NET", "--lower", "nan", "--upper", "1", "--output", "0"], "--lower holds nan"),
        (["maximize", "NET", "--lower", "absent.npy", "--upper", "1", "--output", "0"], "absent.npy"),
        (["maximize", "NET", "--lower", "z.npy", "--upper", "1", "--output", "0"], "neither numbers nor a .npy file"),
        (["bounds", "NET", "--lower", "1", "--upper", "0"], "give a lower bound below the upper one"),
        (["bounds", "NET", "--lower", "0", "--upper", "1", "--save", "no/such/folder.npz"], "no/such/folder.npz"),
        (["formulate", "NET", "model.txt", "--lower", "0", "--upper", "1"], "neither .mps nor .lp"),
        (["formulate", "NET", "model.lp", "--property", "PROP"], "has 2 disjuncts; choose one with --disjunct"),
        (
            ["formulate", "NET", "model.lp", "--property", "PROP", "--disjunct", "3"],
            "has 2 disjuncts; choose one of them",
        ),
        (["info", "PROP"], "p.vnnlib"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "z.npy", np.zeros(1, dtype=complex))
    names = {"NET": onnx.name, "PROP": vnnlib_of(tmp_path / "p.vnnlib", 0.5, 1.5).name}
    result = call(*[names.get(argument, argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("netopt: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert words in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["--frobnicate"], "No such option '--frobnicate'"),
        (["verify"], "Missing argument"),
        (["bounds", "a", "--threads", "0"], "Invalid value for '--threads'"),
        (["bounds", "a", "--time-limit", "-1"], "-1 is not positive"),
        (["verify", "a", "b", "--memory-limit", "0"], "0 is not positive"),
        (["maximize", "a", "--output", "x"], "Invalid value for '--output'"),
    ],
)
def test_bad_usage_is_status_2(arguments: list[str], words: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr
    assert result.stderr.startswith("netopt: ")
    assert result.stderr.count("\n") == 1, result.stderr


def test_an_empty_domain_is_infeasible_and_told(onnx: Path) -> None:
    result = call("maximize", onnx, "--lower", "1", "--upper", "0", "--output", "0")
    assert (result.exit_code, result.stdout.split("\n", 1)[0]) == (0, "infeasible")
    assert result.stderr == "netopt: the domain is empty\n"
