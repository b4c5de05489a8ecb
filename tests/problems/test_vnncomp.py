"""Known answers of public benchmarks; only instances that take a second or so."""

from __future__ import annotations

from pathlib import Path

import pytest

from netopt.network.load import load_network
from netopt.problems.replay import Replayer
from netopt.problems.verification import verify
from netopt.specification.vnnlib import read_vnnlib

QUICK = [
    ("acasxu_2023", "onnx/ACASXU_run2a_2_7_batch_2000.onnx", "vnnlib/prop_4.vnnlib", "unsat"),
    ("acasxu_2023", "onnx/ACASXU_run2a_3_5_batch_2000.onnx", "vnnlib/prop_3.vnnlib", "unsat"),
    ("acasxu_2023", "onnx/ACASXU_run2a_4_5_batch_2000.onnx", "vnnlib/prop_2.vnnlib", "sat"),
    ("mnist_fc", "onnx/mnist-net_256x2.onnx", "vnnlib/prop_0_0.03.vnnlib", "unsat"),
    ("mnist_fc", "onnx/mnist-net_256x2.onnx", "vnnlib/prop_0_0.05.vnnlib", "sat"),
    ("rl_benchmarks", "onnx/cartpole.onnx", "vnnlib/cartpole_case_safe_14.vnnlib", "unsat"),
]


def existing(path: Path) -> Path:
    """Return the file, compressed or not."""
    return path if path.exists() else path.with_name(path.name + ".gz")


@pytest.mark.parametrize(("benchmark", "onnx", "vnnlib", "truth"), QUICK)
def test_the_known_answer_is_found(vnncomp: Path, benchmark: str, onnx: str, vnnlib: str, truth: str) -> None:
    network = load_network(existing(vnncomp / benchmark / onnx), output="logits")
    prop = read_vnnlib(existing(vnncomp / benchmark / vnnlib))
    result = verify(network, prop, time_limit=40.0, isolate=False)
    assert result.status == truth, result.to_json()
    if truth == "sat":
        assert result.witness is not None
        replay = Replayer(network)
        assert replay.has_original
        x = result.witness.x[None]
        assert prop.satisfied(x, network.forward(x))[0]
        assert prop.satisfied(x, result.witness.y[None])[0]
