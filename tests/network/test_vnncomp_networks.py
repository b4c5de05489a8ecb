"""Every public network beside the checkout against onnxruntime."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from netopt.network.load import load_network
from netopt.network.replay import OnnxReplay

#: These repeat the smaller ones of their family at several seconds each.
SLOW = re.compile(r"N=M=(40|48|56|64)_.*_[1-9]\.onnx|N=M=(48|56|64)_")


def networks(folder: Path) -> list[Path]:
    paths = sorted((*folder.glob("*/onnx/*.onnx.gz"), *folder.glob("*/nets/*.onnx.gz")))
    return [path for path in paths if not SLOW.search(path.name)]


def test_networks_agree_with_onnxruntime(vnncomp: Path) -> None:
    paths = networks(vnncomp)
    assert len(paths) > 50
    generator = np.random.default_rng(0)
    for path in paths:
        network = load_network(path)
        points = generator.uniform(-0.5, 1.0, size=(4, network.input_size)).astype(np.float32)
        expected = OnnxReplay(network).forward(points)
        found = network.forward(points)
        assert np.abs(found - expected).max() <= 1e-5 * (1e-3 + np.abs(expected).max()), path.name


def test_acas_layers_and_names(vnncomp: Path) -> None:
    network = load_network(vnncomp / "acasxu_2023/onnx/ACASXU_run2a_1_1_batch_2000.onnx.gz")
    expected = [name for k in range(1, 7) for name in (f"layer{k}.affine", f"layer{k}.relu")]
    assert [node.name for node in network.nodes] == [*expected, "output.affine"]
    assert network.relu_count == 300
    assert (network.inputs[0].name, network.inputs[0].shape) == ("input", (1, 1, 1, 5))
