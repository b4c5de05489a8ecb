"""The competition's scripts, run from a folder that looks like an installed checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

SCRIPTS = Path(__file__).parents[2] / "vnncomp_scripts"
BOX = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (and (>= X_0 -1.0) (<= X_0 0.25)))"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(SCRIPTS, tmp_path / "vnncomp_scripts")
    command = tmp_path / ".venv" / "bin" / "netopt"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/bash\nexec "{sys.executable}" -m netopt.cli.main "$@"\n')
    command.chmod(0o755)
    for operator in ("Abs", "Sigmoid"):
        nodes = [helper.make_node("Mul", ["x", "c"], ["a"]), helper.make_node(operator, ["a"], ["y"])]
        tensors = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 1]) for name in ("x", "y")]
        scale = numpy_helper.from_array(np.float32([[2.0]]), "c")
        graph = helper.make_graph(nodes, "test", tensors[:1], tensors[1:], [scale])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(model, tmp_path / f"{operator}.onnx")
    (tmp_path / "above.vnnlib").write_text(BOX + "(assert (>= Y_0 1.5))")
    (tmp_path / "below.vnnlib").write_text(BOX + "(assert (<= Y_0 -0.5))")
    return tmp_path


def call(checkout: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(checkout / "vnncomp_scripts" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=checkout)


@pytest.mark.parametrize(
    ("network", "prop", "first", "message"),
    [
        ("Abs.onnx", "above.vnnlib", "sat", ""),
        ("Abs.onnx", "below.vnnlib", "unsat", ""),
        ("Sigmoid.onnx", "above.vnnlib", "unknown", "(Sigmoid) is not piecewise linear"),
        ("absent.onnx", "above.vnnlib", "error", "absent.onnx cannot be read"),
    ],
)
def test_an_instance_is_run(network: str, prop: str, first: str, message: str, checkout: Path) -> None:
    (checkout / "results.txt").write_text("sat\n")  # of an instance before, which must not stay
    done = call(checkout, "run_instance.sh", "v1", "test", network, prop, "results.txt", "60")
    lines = (checkout / "results.txt").read_text().splitlines()
    assert done.returncode == 0
    assert lines[0] == first
    assert len(lines) == (3 if first == "sat" else 1)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_instance_is_prepared_or_refused(checkout: Path) -> None:
    assert call(checkout, "prepare_instance.sh", "v1", "test", "Abs.onnx", "above.vnnlib").returncode == 0
    refused = call(checkout, "prepare_instance.sh", "v1", "test", "Sigmoid.onnx", "above.vnnlib")
    assert refused.returncode == 1
    assert "Sigmoid" in refused.stderr
    absent = call(checkout, "prepare_instance.sh", "v1", "test", "Abs.onnx", "absent.vnnlib")
    assert absent.returncode == 1
    assert "absent.vnnlib cannot be read" in absent.stderr


@pytest.mark.parametrize("script", ["install_tool.sh", "prepare_instance.sh", "run_instance.sh"])
def test_a_wrong_call_says_how(script: str, checkout: Path) -> None:
    done = call(checkout, script, "v0")
    assert done.returncode == 1
    assert done.stderr.startswith(f"usage: {script} v1")
