"""``netopt prune`` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bound_cases import random_network
from command_line import call

from netopt.bounds.crown import crown_bounds
from netopt.network.load import load_network
from netopt.network.onnx_writer import write_onnx
from netopt.pruning.apply import apply_mask, center_values
from netopt.pruning.mask import Mask
from netopt.pruning.prune import prune
from netopt.specification.box import Box
from netopt.specification.property import Case, Conjunction, Property
from netopt.specification.vnnlib_writer import write_vnnlib


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    write_onnx(random_network(3, (4, 20, 10, 2)), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def property_of(path: Path) -> Path:
    rows = (Conjunction(np.array([[1.0, 0.0]]), np.array([0.0])),)
    cases = tuple(Case(Box(np.full(4, low), np.full(4, low + 0.2)), rows) for low in (0.0, 0.3))
    write_vnnlib(Property(cases, 4, 2), path)
    return path


def test_summary_network_and_mask(onnx: Path, tmp_path: Path) -> None:
    small, kept = tmp_path / "small.onnx", tmp_path / "mask.npz"
    result = call("prune", onnx, "--rate", "0.8", "--lower", "-0.5", "--upper", "0.5", "-o", small, "--mask", kept)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "method: domain-aware, folded"
    assert lines[1] == "weights: 300 -> 60 (80.00% removed)"
    assert lines[2].startswith("unstable: ")
    assert lines[4].split() == ["layer", "weights", "kept", "removed"]
    assert [line.split()[1:] for line in lines[5:8]] == [
        ["80", "16", "80.00%"],
        ["200", "40", "80.00%"],
        ["20", "4", "80.00%"],
    ]
    network, mask = load_network(onnx), Mask.load(kept)
    box = Box(np.full(4, -0.5), np.full(4, 0.5))
    points = box.sample(np.random.default_rng(0), 20)
    expected = apply_mask(network, mask, center_values(network, box)).forward(points)
    np.testing.assert_allclose(load_network(small).forward(points), expected, atol=1e-6)


def test_a_property_gives_the_domain_and_json_the_figures(onnx: Path, tmp_path: Path) -> None:
    prop = property_of(tmp_path / "p.vnnlib")
    result = call("prune", onnx, "--method", "magnitude", "--keep", "0.1", "--property", prop, "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["command"] == "prune"
    assert content["weights"] == {"before": 300, "after": 30}
    assert content["removed"] == pytest.approx(0.9)
    assert content["folded"] is True
    assert content["unstable"]["after"] <= 30
    assert content["network_sha256"] == load_network(onnx).sha256
    enclosing = call(
        "prune", onnx, "--method", "magnitude", "--keep", "0.1", "--lower", "0", "--upper", "0.5", "--json"
    )
    assert json.loads(enclosing.stdout) == content


def test_without_a_domain_nothing_is_folded(onnx: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.onnx"
    result = call("prune", onnx, "--method", "magnitude", "--rate", "0.5", "-o", small)
    assert result.stdout.startswith("method: magnitude\nweights: 300 -> 150 (50.00% removed)\n\nlayer")
    for dense, sparse in zip(load_network(onnx).affines, load_network(small).affines, strict=True):
        np.testing.assert_array_equal(dense.bias, sparse.bias)
    same = call("prune", onnx, "--method", "magnitude", "--rate", "0.5", "--lower", "0", "--upper", "1", "--no-fold")
    assert same.stdout.startswith("method: magnitude\n")


def test_lossless_takes_no_rate_and_notices_are_printed(onnx: Path) -> None:
    box = ("--lower", "0", "--upper", "1e-3")
    assert call("prune", onnx, "--method", "lossless", *box).stdout.startswith("method: lossless, folded\n")
    result = call("prune", onnx, "--method", "random", "--rate", "0.99", *box)
    put_back = "one of its weights was put back, in place of its smallest"
    assert f"note: pruning left no path through 'layer2.affine'; {put_back}\n" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate", "1"], "pruning rate 1.0 is not in [0, 1)"),
        (["--rate", "-0.1"], "is not in [0, 1)"),
        (["--keep", "0"], "--keep 0 is not in (0, 1]"),
        (["--rate", "0.5", "--keep", "0.5"], "both --rate and --keep"),
        ([], "no rate was given"),
        (["--rate", "0.5"], "give --lower and --upper, or --property"),
        (["--rate", "0.5", "--method", "best"], "pruning method 'best' is unknown"),
        (["--rate", "0.5", "--method", "lossless", "--lower", "0", "--upper", "1"], "leave --rate and --keep out"),
        (["--method", "lossless", "--lower", "0", "--upper", "1", "--no-fold"], "exact only with folding"),
        (["--rate", "0.5", "--lower", "0,1", "--upper", "1"], "--lower gives 2 values and the network has 4 inputs"),
        (["--rate", "0.5", "--lower", "0", "--upper", "1", "-o", "absent/small.onnx"], "cannot be written"),
        (["--rate", "0.5", "--lower", "0", "--upper", "1", "--mask", "absent/mask.npz"], "cannot be written"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("prune", onnx, *arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert words in result.stderr


def test_a_property_of_another_network_is_refused(onnx: Path, tmp_path: Path) -> None:
    write_vnnlib(
        Property((Case(Box(np.zeros(3), np.ones(3)), (Conjunction(np.ones((1, 2)), np.zeros(1)),)),), 3, 2),
        tmp_path / "p.vnnlib",
    )
    result = call("prune", onnx, "--rate", "0.5", "--property", tmp_path / "p.vnnlib")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_tickets_are_written_with_their_factors(onnx: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.onnx"
    arguments = ["prune", onnx, "--lower", "-0.5", "--upper", "0.5", "-o", small, "--seed", "3"]
    result = call(*arguments, "--method", "ticket-rescaled", "--keep", "0.5")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[:2] == ["method: ticket-rescaled, folded", "weights: 300 -> 100 (66.67% removed)"]
    network, box = load_network(onnx), Box(np.full(4, -0.5), np.full(4, 0.5))
    known = crown_bounds(network, box)
    expected = prune(network, "ticket-rescaled", 0.5, domain=box, bounds=known, seed=3).network
    points = box.sample(np.random.default_rng(0), 20)
    np.testing.assert_allclose(load_network(small).forward(points), expected.forward(points), atol=1e-5)
    for options, message in [
        (("--method", "ticket-priced", "--keep", "0.5"), "is a price and no fraction; give it by --rate"),
        (("--method", "ticket", "--keep", "0.5", "--no-fold"), "counts on folded averages"),
        (
            (
                "--method",
                "ticket",
            ),
            "no rate was given",
        ),
    ]:
        refused = call(*arguments, *options)
        assert refused.exit_code == 2
        assert message in refused.output
