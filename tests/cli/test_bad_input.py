"""Bad input of every command: one sentence on stderr, and status 2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import call, vnnlib_of


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
