"""VNN-LIB 1.0: every form of the language against a plain evaluator of the file's own assertions."""

from __future__ import annotations

import gzip
import operator
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netopt.errors import InputError
from netopt.specification.box import Box
from netopt.specification.polytope import Polytope
from netopt.specification.property import Property
from netopt.specification.vnnlib import read_vnnlib

COMPARE = {"<=": operator.le, "<": operator.le, ">=": operator.ge, ">": operator.ge, "=": operator.eq}


def parse(text: str) -> list[Any]:
    """The whole file as nested lists of strings."""
    stack: list[list[Any]] = [[]]
    for token in re.findall(r"[()]|[^\s()]+", re.sub(";.*", "", text)):
        if token == "(":
            stack.append([])
        elif token == ")":
            stack[-2].append(stack.pop())
        else:
            stack[-1].append(token)
    return stack[0]


def evaluate(expression: Any, x: np.ndarray, y: np.ndarray) -> Any:
    if isinstance(expression, str):
        if expression[0] in "XY":
            return (x if expression[0] == "X" else y)[int(expression[2:])]
        return float(expression)
    head, *rest = expression
    values = (evaluate(part, x, y) for part in rest)
    if head == "and":
        return all(values)
    if head == "or":
        return any(values)
    values = list(values)
    if head in COMPARE:
        return COMPARE[head](*values)
    if head == "+":
        return sum(values)
    if head == "*":
        return np.prod(values)
    if head == "/":
        return values[0] / values[1]
    assert head == "-"
    return -values[0] if len(values) == 1 else values[0] - sum(values[1:])


def holds(text: str, x: np.ndarray, y: np.ndarray) -> bool:
    return all(evaluate(e[1], x, y) for e in parse(text) if e[0] == "assert")


def read(text: str, folder: Path) -> Property:
    path = folder / "p.vnnlib"
    path.write_text(text)
    return read_vnnlib(path)


DECLARED = "".join(f"(declare-const {name} Real)\n" for name in ("X_0", "X_1", "Y_0", "Y_1"))
BOX = "(assert (>= X_0 -1)) (assert (<= X_0 1.5)) (assert (and (<= -2.0 X_1) (<= X_1 +2e0)))\n"

FORMS = {
    "plain": "(assert (<= Y_0 Y_1))",
    "strict": "(assert (< Y_0 0.25)) (assert (> Y_1 -.5))",
    "equal": "(assert (= Y_0 1))",
    "linear": "(assert (<= (+ (* 2 Y_0) (* Y_1 -1.5) 1e-1) (- Y_1 3)))",
    "nested terms": "(assert (>= (* 2 (- (+ Y_0 (- X_0)) (* 0.5 (+ X_1 Y_1 1)))) 0.125))",
    "quotient": "(assert (<= (/ Y_0 4) (/ 1 8)))",
    "constant factors": "(assert (<= (* (- 2) Y_0) (+ 1 (* 2 3))))",
    "nested or": "(assert (or (<= Y_0 0) (and (>= Y_0 1) (or (<= Y_1 -1) (>= Y_1 1)))))",
    "two ors": "(assert (or (<= Y_0 0) (>= Y_0 1)))(assert (or (<= Y_1 -1) (>= Y_1 1)))",
    "input boxes": "(assert (or"
    " (and (<= X_0 0) (<= Y_0 0)) (and (>= X_0 0.5) (>= Y_0 0)) (and (<= X_0 0) (>= Y_1 1))))",
    "input rows": "(assert (<= (+ X_0 X_1) 1)) (assert (<= Y_0 0))",
    "input rows in or": "(assert (or (and (<= X_0 X_1) (<= Y_0 0)) (and (>= X_0 X_1) (>= Y_0 0))))",
    "mixed": "(assert (or (<= Y_0 X_0) (and (>= Y_1 (+ X_1 X_0)) (<= Y_0 0.5))))",
    "inputs only": "(assert (<= X_0 0.5))",
    "always": "(assert (or (<= 0 1) (<= Y_0 0)))",
    "never": "(assert (or (<= 1 0) (<= Y_0 0)))",
    "cancels": "(assert (<= (- Y_0 Y_0) 0)) (assert (<= X_1 (+ X_1 1)))",
    "unary": "(assert (and (<= Y_0 0)))(assert (or (>= (+ Y_1) 0)))",
}


@pytest.mark.parametrize("name", sorted(FORMS))
def test_agrees_with_the_assertions(name: str, tmp_path: Path) -> None:
    text = DECLARED + BOX + FORMS[name]
    prop = read(text, tmp_path)
    assert (prop.input_size, prop.output_size) == (2, 2)
    rng = np.random.default_rng(0)
    x = rng.choice(np.arange(-10, 11) / 4.0, size=(600, 2))
    y = rng.choice(np.arange(-8, 9) / 4.0, size=(600, 2))
    expected = [holds(text, a, b) for a, b in zip(x, y, strict=True)]
    assert prop.satisfied(x, y).tolist() == expected
    assert 0 < sum(expected) < 600


def terms() -> st.SearchStrategy[str]:
    leaf = st.sampled_from(["X_0", "X_1", "Y_0", "Y_1", "0.5", "-2", "1e-1"])
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from("+-"), st.lists(inner, min_size=1, max_size=3)).map(
                lambda pair: f"({pair[0]} {' '.join(pair[1])})"
            ),
            st.tuples(st.sampled_from(["2", "-0.5", "(- 3)"]), inner).map(lambda pair: f"(* {pair[0]} {pair[1]})"),
        ),
        max_leaves=5,
    )


def formulas() -> st.SearchStrategy[str]:
    leaf = st.tuples(st.sampled_from(["<=", ">=", "<", ">"]), terms(), terms()).map(lambda t: f"({' '.join(t)})")
    return st.recursive(
        leaf,
        lambda inner: st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda pair: f"({pair[0]} {' '.join(pair[1])})"
        ),
        max_leaves=8,
    )


@settings(max_examples=40)
@given(st.lists(formulas(), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_random_formulas_agree(tmp_path_factory: pytest.TempPathFactory, parts: list[str], seed: int) -> None:
    text = DECLARED + BOX + "".join(f"(assert {part})\n" for part in parts)
    prop = read(text, tmp_path_factory.mktemp("random"))
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-2.0, 2.0, size=(40, 2)), rng.uniform(-2.0, 2.0, size=(40, 2))
    found = prop.satisfied(x, y)
    for k in np.flatnonzero([holds(text, a, b) for a, b in zip(x, y, strict=True)] != found):
        # rounding may decide a row that holds with equality; it must not matter at any larger distance
        assert prop.satisfied(x[[k]], y[[k]], 1e-12)[0] != prop.satisfied(x[[k]], y[[k]], -1e-12)[0]


def test_groups_disjuncts_by_box(tmp_path: Path) -> None:
    rows = "".join(
        f"(and (>= X_0 {k}) (<= X_0 {k}.5) (<= Y_0 0)) (and (>= X_0 {k}.0) (<= X_0 {k}.5) (>= Y_0 1))" for k in range(5)
    )
    prop = read(f"(declare-const X_0 Real)(declare-const Y_0 Real)(assert (or {rows}))", tmp_path)
    assert [len(case.disjuncts) for case in prop.cases] == [2] * 5
    assert [case.domain.lower.tolist() for case in prop.cases] == [[float(k)] for k in range(5)]


def test_linear_input_rows_make_a_polytope(tmp_path: Path) -> None:
    prop = read(DECLARED + BOX + "(assert (= (+ X_0 X_1) 1)) (assert (<= Y_0 0))", tmp_path)
    domain = prop.cases[0].domain
    assert isinstance(domain, Polytope)
    assert (domain.row_lower.tolist(), domain.row_upper.tolist()) == ([1.0], [1.0])
    assert prop.cases[0].disjuncts[0].input_matrix is None


def test_sizes_come_from_declarations(tmp_path: Path) -> None:
    text = "(declare-const X_0 Real)(declare-fun Y_7 () Real)(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= Y_7 0))"
    prop = read(text, tmp_path)
    assert (prop.input_size, prop.output_size) == (1, 8)
    assert prop.cases[0].disjuncts[0].output_matrix.shape == (1, 8)


def test_deep_nesting_of_one_operator(tmp_path: Path) -> None:
    depth = 5000
    formula = "(and (<= Y_0 0) " * depth + "(<= Y_1 0)" + ")" * depth
    term = "(+ Y_0 " * depth + "Y_1" + ")" * depth
    prop = read(DECLARED + BOX + f"(assert {formula})(assert (<= {term} 1))", tmp_path)
    assert prop.cases[0].disjuncts[0].output_matrix[-1].tolist() == [depth, 1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(assert (<= X_0 1)", r"line 5: '\(' is never closed"),
        ("(assert (<= X_0 1)))", r"line 5: '\)' closes nothing"),
        ("\n(assert (<= X_3 1))", r"line 6: 'X_3' is not declared"),
        ("(assert (<= (+ X_0 Z) 1))", r"line 5: 'Z' is neither a number nor a declared variable"),
        ("(assert (<= (* X_0 Y_0) 1))", r"line 5: the product or quotient is not linear"),
        ("(assert (<= (/ 1 X_0) 1))", r"line 5: the product or quotient is not linear"),
        ("(assert (<= (/ X_0 0) 1))", r"line 5: division by zero"),
        ("; a comment (\n(assert (not (<= X_0 1)))", r"line 6: expected and, or, .* found 'not'"),
        ("(assert (<= X_0 1 2))", r"line 5: <= takes two terms, 3 were found"),
        ("(assert)", r"line 5: \(assert …\) takes one formula, 0 were found"),
        ("(assert X_0)", r"line 5: expected a formula, found 'X_0'"),
        ("(assert (<= X_0 1e999))", r"line 5: the constant 1e999 is too large"),
        ("(assert (<= (+ 1e999 X_0) 1))", r"line 5: the constant 1e999 is too large"),
        ("(declare-const X_0 Int)", r"line 5: X_0 is declared as 'Int'; only Real is supported"),
        ("(declare-const Z Real)", r"line 5: declare inputs as X_0, .*, not 'Z'"),
        ("(declare-const X_2 Int)", r"line 5: X_2 is declared as 'Int'; only Real is supported"),
        ("(push 1)", r"line 5: expected \(assert …\) or \(declare-const …\), found 'push'"),
        ("X_0", r"line 5: 'X_0' stands outside of any"),
        ("(<= X_0 1)", r"line 5: a comparison stands outside of any"),
        ("(assert (<= Y_0 0))", r"input X_0 has no lower bound in the property"),
        ("(assert (or (<= Y_0 0) (<= X_1 2))) (assert (<= X_0 1))", r"input X_0 has no lower bound"),
    ],
)
def test_refuses_with_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(DECLARED + text, tmp_path)
    assert "p.vnnlib" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_an_exponential_expansion(tmp_path: Path) -> None:
    ors = "(assert (or (<= Y_0 0) (>= Y_1 0)))" * 60
    with pytest.raises(InputError, match="expands to"):
        read(DECLARED + BOX + ors, tmp_path)


@pytest.mark.parametrize("content", [b"\x1f\x8bnot gzip", b"\xff\xfe\x00"])
def test_refuses_unreadable_files(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.vnnlib.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot read the property"):
        read_vnnlib(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.vnnlib does not exist; check the path"):
        read_vnnlib(tmp_path / "absent.vnnlib")


def random_pairs(prop: Property, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Inputs in and just outside of random cases, outputs on both sides of their rows."""
    points = []
    for k in rng.integers(len(prop.cases), size=4):
        domain = prop.cases[k].domain
        points += [domain.sample(rng, 3), domain.sample(rng, 1) + 1e-3 * rng.standard_normal(prop.input_size)]
    x = np.concatenate(points)
    bounds = np.concatenate([c.bound for case in prop.cases[:50] for c in case.disjuncts])
    scale = float(np.abs(bounds).max(initial=0.0)) + 1.0
    return x, rng.uniform(-scale, scale, size=(x.shape[0], prop.output_size))


def test_reads_public_benchmarks(vnncomp: Path) -> None:
    rng = np.random.default_rng(1)
    outcomes: set[bool] = set()
    folders = {path.parent for path in vnncomp.rglob("*.vnnlib.gz")}
    assert len(folders) >= 9
    for path in (path for folder in sorted(folders) for path in sorted(folder.glob("*.vnnlib.gz"))[::15]):
        prop = read_vnnlib(path)
        assert prop.cases
        assert all(isinstance(case.domain, Box) for case in prop.cases)
        if path.stat().st_size < 20_000:  # the plain evaluator is slow
            text = gzip.decompress(path.read_bytes()).decode()
            asserted = [expression[1] for expression in parse(text) if expression[0] == "assert"]
            x, y = random_pairs(prop, rng)
            expected = [all(evaluate(part, a, b) for part in asserted) for a, b in zip(x, y, strict=True)]
            assert prop.satisfied(x, y).tolist() == expected, path
            outcomes |= set(expected)
    assert outcomes == {True, False}


def test_reads_sixty_thousand_boxes(vnncomp: Path) -> None:
    prop = read_vnnlib(vnncomp / "nn4sys_2023" / "vnnlib" / "lindex_60000.vnnlib.gz")
    assert len(prop.cases) == 60_000
    assert sum(len(case.disjuncts) for case in prop.cases) == 120_000


@pytest.mark.parametrize(
    ("formula", "disjuncts"),
    [
        ("(and (<= X_0 0.5) (<= Y_0 0) (<= X_1 0.25))", 1),
        ("(and (and (<= X_0 0.5) (>= Y_0 0)) (<= Y_1 1) (and (<= Y_0 3)))", 1),
        ("(or (and (<= X_0 0.5)(<= Y_0 0)) (and\n( < X_0 0.5 )\n( >= Y_0 1 ) ) (>= Y_1 1))", 3),
        ("(or (and (<= Y_0 0) (or (<= Y_1 0) (>= Y_1 2))) (and (<= Y_0 0) (<= (+ Y_0 Y_1) 1)))", 3),
        ("(and (<= Y_0 Y_1) (or (and (<= X_0 0.5) (<= Y_0 2)) (and (<= X_0 0.25) (<= Y_1 2))))", 2),
    ],
)
def test_conjunctions_of_comparisons_mean_what_they_say(formula: str, disjuncts: int, tmp_path: Path) -> None:
    text = "\n".join(f"(declare-const {v} Real)" for v in ("X_0", "X_1", "Y_0", "Y_1"))
    text += "\n" + "".join(f"(assert (>= X_{k} -1))(assert (<= X_{k} 1))" for k in range(2)) + f"\n(assert {formula})"
    path = tmp_path / "p.vnnlib"
    path.write_text(text)
    prop = read_vnnlib(path)
    assert sum(len(case.disjuncts) for case in prop.cases) == disjuncts
    generator = np.random.default_rng(0)
    x, y = np.round(generator.uniform(-1, 1, (400, 2)) * 8) / 8, np.round(generator.uniform(-1, 4, (400, 2)) * 2) / 2
    tree = parse(formula)[0]
    expected = [bool(evaluate(tree, a, b)) for a, b in zip(x, y, strict=True)]
    assert any(expected)
    assert not all(expected)
    assert prop.satisfied(x, y).tolist() == expected


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("(or (and (<= X_0 1) (>= Y_0 0))\n(and (<= X_7 1) (>= Y_0 0)))", r"line 3: 'X_7' is not declared"),
        ("(or (and (<= X_0 1) (>= Y_0 0))\n(and (<= X_0 1) (>= Y_0 X_00)))", r"line 3: 'X_00' is not declared"),
        ("(or (<= X_0 1)\n(and (<= X_0 1) (>= Y_0 1e999)))", r"line 3: the constant 1e999 is too large"),
        ("(<= (and (<= X_0 1) (<= Y_0 1)) 1)", r"line 2: expected a term, found a formula"),
    ],
)
def test_a_mistake_inside_a_conjunction_is_found_in_its_line(formula: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "p.vnnlib"
    path.write_text(f"(declare-const X_0 Real)(declare-const Y_0 Real)\n(assert {formula})")
    with pytest.raises(InputError, match=message):
        read_vnnlib(path)


def test_commands_and_repeated_declarations_change_nothing(tmp_path: Path) -> None:
    plain = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (and (>= X_0 0) (<= X_0 1) (>= Y_0 X_0)))"
    texts = [
        plain,
        "(set-logic QF_LRA)(set-info :source |here|)(declare-fun X_0 () Real)" + plain + "(check-sat)(exit)",
    ]
    found = []
    for k, text in enumerate(texts):
        (tmp_path / f"{k}.vnnlib").write_text(text)
        found.append(read_vnnlib(tmp_path / f"{k}.vnnlib"))
    first, second = found
    assert (second.input_size, second.output_size) == (1, 1)
    conjunctions = [prop.cases[0].disjuncts[0] for prop in (first, second)]
    assert conjunctions[0].output_matrix.tolist() == conjunctions[1].output_matrix.tolist() == [[-1.0]]
