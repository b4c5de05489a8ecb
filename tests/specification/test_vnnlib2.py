"""VNN-LIB 2.0: the same properties as in 1.0, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netopt.errors import InputError
from netopt.specification.integer import IntegerPoints
from netopt.specification.polytope import Polytope
from netopt.specification.property import Property
from netopt.specification.vnnlib import read_declaration, read_vnnlib

HEAD = """(vnnlib-version <2.0>)
; a comment with 1e-3 and (brackets
(declare-network controller
  (declare-input X real [1,2])
  (declare-output Y real [2,1])
)
"""
BOX = "".join(f"(assert (and (>= X[0,{k}] -1.0) (<= X[0,{k}] 1.5)))\n" for k in range(2))
BOX_1 = "".join(f"(assert (and (>= X_{k} -1.0) (<= X_{k} 1.5)))\n" for k in range(2))
HEAD_1 = "".join(f"(declare-const {name} Real)\n" for name in ("X_0", "X_1", "Y_0", "Y_1"))

FORMS = {
    "plain": "(assert (<= Y[0,0] Y[1,0]))",
    "strict": "(assert (< Y[0,0] 0.25)) (assert (> Y[1,0] -0.5))",
    "linear": "(assert (<= (+ (* 2.0 Y[0,0]) (* -1.5 Y[1,0]) 0.1) (- Y[1,0] 3.0)))",
    "exponents": "(assert (<= Y[0,0] -2.5e-1)) (assert (>= Y[1,0] 1.5E+0))",
    "nested or": "(assert (or (<= Y[0,0] 0.0) (and (>= Y[0,0] 1.0) (or (<= Y[1,0] -1.0) (>= Y[1,0] 1.0)))))",
    "mixed": "(assert (<= Y[0,0] (+ X[0,0] (* 2.0 X[0,1]))))",
    "input rows": "(assert (<= (+ X[0,0] X[0,1]) 1.0)) (assert (<= Y[0,0] 0.0))",
    "equal": "(assert (== Y[0,0] 1.0))",
}


def read(text: str, folder: Path) -> Property:
    path = folder / "q.vnnlib"
    path.write_text(text)
    return read_vnnlib(path)


@pytest.mark.parametrize("name", sorted(FORMS))
def test_agrees_with_version_1(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    older = form.replace("==", "=")
    for k in range(2):
        older = older.replace(f"X[0,{k}]", f"X_{k}").replace(f"Y[{k},0]", f"Y_{k}")
    new, old = read(HEAD + BOX + form, tmp_path), read(HEAD_1 + BOX_1 + older, tmp_path)
    assert (new.input_size, new.output_size) == (2, 2)
    rng = np.random.default_rng(0)
    x = rng.choice(np.arange(-8, 9) / 4.0, size=(500, 2))
    y = rng.choice(np.arange(-8, 9) / 4.0, size=(500, 2))
    found = new.satisfied(x, y)
    assert found.tolist() == old.satisfied(x, y).tolist()
    assert 0 < found.sum() < 500


def test_several_tensors_are_concatenated_row_major(tmp_path: Path) -> None:
    text = """(declare-network f
      (declare-input A float32 [2,2]) (declare-input S float32 [])
      (declare-output P float32 []) (declare-output Q float32 [2]))
    (assert (and (>= S -1.0) (<= S 1.0)))
    (assert (<= (+ A[1,0] Q[1]) P))
    """.replace("(declare-network", "(vnnlib-version <2.0>) (declare-network")
    text += "".join(f"(assert (>= A[{i},{j}] 0.0)) (assert (<= A[{i},{j}] 1.0))" for i in range(2) for j in range(2))
    prop = read(text, tmp_path)
    assert (prop.input_size, prop.output_size) == (5, 3)
    conjunction = prop.cases[0].disjuncts[0]
    assert conjunction.output_matrix.tolist() == [[-1.0, 0.0, 1.0]]
    assert conjunction.input_matrix is not None
    assert conjunction.input_matrix.toarray().tolist() == [[0.0, 0.0, 1.0, 0.0, 0.0]]
    assert prop.cases[0].domain.lower.tolist() == [0.0, 0.0, 0.0, 0.0, -1.0]


def test_linear_input_rows_make_a_polytope(tmp_path: Path) -> None:
    assert isinstance(read(HEAD + BOX + FORMS["input rows"], tmp_path).cases[0].domain, Polytope)


def test_integer_tensors_make_integer_points(tmp_path: Path) -> None:
    text = """(vnnlib-version <2.0>) (declare-network f
      (declare-input N int8 [2]) (declare-input X float32 [1]) (declare-output Y float32 [1]))
    (assert (and (>= N[0] 0) (<= N[0] 3) (>= N[1] -1) (<= N[1] 1)))
    (assert (and (>= X[0] 0.0) (<= X[0] 1.0))) (assert (<= Y[0] 0.0))
    """
    domain = read(text, tmp_path).cases[0].domain
    assert isinstance(domain, IntegerPoints)
    assert domain.integral.tolist() == [True, True, False]
    assert domain.upper.tolist() == [3.0, 1.0, 1.0]


def test_declaration(tmp_path: Path) -> None:
    path = tmp_path / "q.vnnlib"
    path.write_text(HEAD + BOX)
    declared = read_declaration(path)
    assert declared is not None
    assert declared.name == "controller"
    assert declared.inputs == (("X", (1, 2)),)
    assert declared.outputs == (("Y", (2, 1)),)
    path.write_text(HEAD_1 + BOX_1)
    assert read_declaration(path) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "(assert (<= X[0,1] 1.0)", "syntax error at line"),
        (HEAD + "(assert (<= X[0,5] 1.0))", r"line 7: Index out of bounds .*'X\[0,5\]'"),
        (HEAD + "(assert (<= Z[0] 1.0))", r"line 7: .*'Z"),
        (HEAD + BOX + "(assert (<= (* X[0,0] Y[0,0]) 1.0))", "is not linear"),
        (HEAD + BOX + "(assert (!= Y[0,0] 1.0))", "is not a comparison by"),
        (HEAD + "(assert (<= Y[0,0] 1.0))", "input X_0 has no lower bound"),
        (HEAD + "(assert (<= Y[0,0] 1e9999))", "the constant 1e9999 does not fit into float64"),
        (
            HEAD
            + "(declare-network g (equal-to controller) (declare-input A real [1,2]) (declare-output B real [2,1]))"
            "(assert (<= A[0,0] X[0,0]))",
            "declares 2 networks",
        ),
    ],
)
def test_refuses_with_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(text, tmp_path)
    assert "\n" not in str(caught.value)
