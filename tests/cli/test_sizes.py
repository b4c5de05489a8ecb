"""Sizes of networks and models on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import call

NETWORK = Path(__file__).parents[2] / "instances" / "networks" / "digits-2x20.onnx"
BOX = ("--lower", "0.4", "--upper", "0.5")


def test_info_compares_the_network_with_the_reduced_one() -> None:
    sizes = json.loads(call("info", str(NETWORK), *BOX, "--reduce", "--lp-bound", "3", "--json").stdout)["sizes"]
    given, reduced = sizes["given"], sizes["reduced"]
    assert (given["neurons"], given["weights"], given["layers"]) == (40, 64 * 20 + 20 * 20 + 20 * 10, 2)
    assert given["unstable"] + given["active"] + given["inactive"] == 40
    assert given["binaries"] == given["unstable"] == reduced["unstable"]
    assert reduced["inactive"] == 0
    assert all(reduced[count] < given[count] for count in ("neurons", "rows", "columns", "nonzeros"))
    assert reduced["lp_bound"] == pytest.approx(given["lp_bound"], abs=1e-6)  # what is stable is no relaxation
    printed = call("info", str(NETWORK), *BOX, "--reduce").stdout
    assert ["nonzeros", str(given["nonzeros"]), str(reduced["nonzeros"])] in [
        line.split() for line in printed.splitlines()
    ]
    assert "lp_bound" not in printed
    assert "sizes" in json.loads(call("info", str(NETWORK), "--json").stdout)


def test_prune_compares_dense_sparse_and_reduced() -> None:
    result = call("prune", str(NETWORK), "--method", "magnitude", "--rate", "0.8", *BOX, "--lp-bound", "3", "--json")
    sizes = json.loads(result.stdout)["sizes"]
    assert list(sizes) == ["dense", "sparse", "reduced"]
    assert sizes["sparse"]["weights"] == 376  # a fifth of 1880
    assert sizes["dense"]["nonzeros"] > sizes["sparse"]["nonzeros"] >= sizes["reduced"]["nonzeros"]
    assert sizes["reduced"]["lp_bound"] == pytest.approx(sizes["sparse"]["lp_bound"], abs=1e-6)
    assert "nonzeros" in call("prune", str(NETWORK), "--method", "magnitude", "--rate", "0.8", *BOX).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("info", str(NETWORK), "--reduce"), "--reduce and --lp-bound need a box"),
        (("info", str(NETWORK), *BOX, "--lp-bound", "10"), "there is no output 10; the network has 10"),
        (
            ("prune", str(NETWORK), "--method", "magnitude", "--rate", "0.8", "--lp-bound", "1"),
            "needs the inputs' range",
        ),
    ],
)
def test_bad_input(arguments: tuple[str, ...], message: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
