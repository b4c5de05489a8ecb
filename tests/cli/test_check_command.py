"""``verify --proof`` and ``check`` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import call

from netopt.network.build import from_weights
from netopt.network.load import load_network
from netopt.network.onnx_writer import write_onnx
from netopt.proof.log import proof_log, write_log
from netopt.proof.recorder import ProofRecorder
from netopt.specification.box import Box
from netopt.specification.property import Case, Conjunction, Property
from netopt.specification.vnnlib import read_vnnlib
from netopt.specification.vnnlib_writer import write_vnnlib

#: |x| for x in R.
NETWORK = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    write_onnx(NETWORK, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def asked(path: Path, level: float) -> Path:
    """Write ``|x| >= level`` for -1 <= x <= 0.75."""
    row = Conjunction(np.array([[-1.0]]), np.array([-level]))
    write_vnnlib(Property((Case(Box(np.array([-1.0]), np.array([0.75])), (row,)),), 1, 1), path)
    return path


def test_a_proof_is_written_and_holds(onnx: Path, tmp_path: Path) -> None:
    question, proof = asked(tmp_path / "p.vnnlib", 1.01), tmp_path / "proof"
    assert call("verify", onnx, question, "--proof", proof).stdout == "unsat\n"
    result = call("check", proof, onnx, question)
    assert (result.exit_code, result.stdout) == (0, "valid\n")
    content = json.loads(call("check", proof, onnx, question, "--json").stdout)
    assert (content["status"], content["trusted"], content["disjuncts"]) == ("valid", [], 1)


def test_a_proof_of_another_question_is_invalid(onnx: Path, tmp_path: Path) -> None:
    question, proof = asked(tmp_path / "p.vnnlib", 1.01), tmp_path / "proof"
    call("verify", onnx, question, "--proof", proof)
    result = call("check", proof, onnx, asked(tmp_path / "q.vnnlib", 0.9))
    assert (result.exit_code, result.stdout) == (4, "invalid: it is about another property\n")


def test_what_a_solver_proves_is_named(onnx: Path, tmp_path: Path) -> None:
    question, proof = asked(tmp_path / "p.vnnlib", 1.01), tmp_path / "proof"
    recorder = ProofRecorder()
    recorder.closed_by_claim(0, 0, "a solver")
    write_log(proof, proof_log(recorder, load_network(onnx), read_vnnlib(question)))
    result = call("check", proof, onnx, question)
    assert (result.exit_code, result.stdout) == (3, "trusting\ntrusted: case 1, disjunct 1: a solver\n")


def test_there_is_no_proof_of_sat(onnx: Path, tmp_path: Path) -> None:
    result = call("verify", onnx, asked(tmp_path / "p.vnnlib", 0.5), "--proof", tmp_path / "proof")
    assert result.stdout.startswith("sat\n")
    assert "no proof was written, for the answer is sat" in result.stderr
    assert not (tmp_path / "proof").exists()


def test_a_file_that_is_no_proof_is_bad_input(onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "proof").write_text("unsat")
    result = call("check", tmp_path / "proof", onnx, asked(tmp_path / "p.vnnlib", 0.5))
    assert result.exit_code == 2
    assert "does not hold a proof written by netopt" in result.stderr
