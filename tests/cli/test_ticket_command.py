"""``netopt ticket`` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bound_cases import random_network
from command_line import call

from netopt.network.load import load_network
from netopt.network.onnx_writer import write_onnx
from netopt.ticket.masks import load_ticket


@pytest.fixture
def target(tmp_path: Path) -> Path:
    write_onnx(random_network(3, (2, 3, 1)), tmp_path / "target.onnx")
    return tmp_path / "target.onnx"


def test_networks_masks_and_figures(target: Path, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("ticket.onnx", "reduced.onnx", "masks.npz")]
    files = ("-o", paths[0], "--reduced", paths[1], "--mask", paths[2])
    result = call(
        "ticket",
        target,
        "--width",
        30,
        "--lower",
        0,
        "--upper",
        1,
        "--worst-case",
        30,
        "--effort",
        "quick",
        *files,
        "--json",
    )
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    dense, found, reduced = (load_network(path) for path in (target, *paths[:2]))
    x = np.random.default_rng(0).uniform(size=(2000, 2))
    off = np.abs(found.forward(x) - dense.forward(x)).max()
    assert reduced.forward(x) == pytest.approx(found.forward(x), rel=1e-4, abs=1e-4)
    assert off <= content["worst_case"]["value"] + 1e-5
    assert content["worst_case"]["proven"]
    assert content["worst_case"]["value"] <= max(content["certificate"]["output"]) + 1e-6
    assert content["scale"] == "auto"
    assert all(np.log2(one["scale"]).is_integer() for one in content["subsets"])
    assert content["sizes"]["ticket"]["neurons"] > content["sizes"]["reduced"]["neurons"]
    assert content["network_sha256"] == dense.sha256
    assert load_ticket(dense, paths[2]).network.sha256 == content["ticket_sha256"]
    assert [one["key"] for one in content["certificate"]["layers"]] == ["layer1.affine", "output.affine"]


def test_text(target: Path) -> None:
    result = call("ticket", target, "--width", 20, "--dimension", 1, "--effort", "quick", "--size", 6, "--scale", 4)
    assert result.exit_code == 0, result.output
    assert "random" in result.stdout
    assert "for every input, proven" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--width", 20, "--scale", -1), "not a positive number"),
        (("--width", 20, "--scale", "large"), "neither a number nor auto"),
        (("--width", 20, "--size", 11), "half the width"),
        (("--width", 20, "--effort", "great"), "unknown effort"),
        (("--width", 20, "--lower", 0), "give --lower and --upper"),
        (("--width", 20, "-o", "absent/ticket.onnx"), "cannot be written; give a file in a folder that exists"),
        (("--width", 20, "--mask", "."), "cannot be written; give a file in a folder that exists"),
        (("--width", 0), "--width"),
        ((), "--width"),
    ],
)
def test_bad_usage_is_one_sentence_and_status_2(target: Path, arguments: tuple[object, ...], message: str) -> None:
    result = call("ticket", target, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
