"""Bounds implied by rows on several inputs: no point is lost, chains are followed, what stays open is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netopt.arrays import sparse
from netopt.errors import InputError
from netopt.specification.implied_bounds import close_open_sides
from netopt.specification.vnnlib import read_vnnlib

DECLARED = "".join(f"(declare-const X_{k} Real)\n" for k in range(3)) + "(declare-const Y_0 Real)\n"


def domain(path: Path, text: str) -> tuple[np.ndarray, np.ndarray]:
    path.write_text(DECLARED + text)
    found = read_vnnlib(path).cases[0].domain
    return found.lower, found.upper


def test_an_equality_and_a_chain(tmp_path: Path) -> None:
    lower, upper = domain(
        tmp_path / "p.vnnlib",
        "(assert (and (>= X_0 -1) (<= X_0 0.5) (= X_1 X_0) (<= (+ X_2 (* 2 X_1)) 3) (>= X_2 X_0) (<= Y_0 0)))",
    )
    np.testing.assert_allclose(lower, [-1.0, -1.0, -1.0], rtol=1e-14)
    np.testing.assert_allclose(upper, [0.5, 0.5, 5.0], rtol=1e-14)
    assert (lower <= [-1.0, -1.0, -1.0]).all()
    assert (upper >= [0.5, 0.5, 5.0]).all()


def test_each_disjunct_has_its_own(tmp_path: Path) -> None:
    boxes = "(assert (and (>= X_0 0) (<= X_0 1) (>= X_1 0) (<= X_1 1) (>= X_2 0)))"
    rows = "(assert (or (and (<= (+ X_0 X_2) 2) (<= Y_0 0)) (and (<= X_2 (* 3 X_1)) (<= Y_0 0))))"
    (tmp_path / "p.vnnlib").write_text(DECLARED + boxes + rows)
    tops = [case.domain.upper[2] for case in read_vnnlib(tmp_path / "p.vnnlib").cases]
    np.testing.assert_allclose(tops, [2.0, 3.0], rtol=1e-14)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("(<= X_1 X_2)", "input X_1 has no lower bound"),
        ("(= (+ X_1 X_2) X_0)", "input X_1 has no lower bound"),
        ("(and (>= X_1 X_0) (>= X_2 X_0))", "input X_1 has no upper bound"),
    ],
)
def test_what_stays_open_is_refused(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        domain(tmp_path / "p.vnnlib", f"(assert (and (>= X_0 0) (<= X_0 1) {row}))")


NUMBERS = st.one_of(st.integers(-4, 4).map(float), st.floats(-1e3, 1e3), st.floats(-1e-9, 1e-9))


@given(
    point=st.lists(NUMBERS, min_size=4, max_size=4),
    rows=st.lists(st.lists(NUMBERS, min_size=4, max_size=4), min_size=1, max_size=6),
    given_sides=st.lists(st.sampled_from(["both", "low", "high", "none"]), min_size=4, max_size=4),
)
def test_no_point_of_the_rows_is_lost(point: list[float], rows: list[list[float]], given_sides: list[str]) -> None:
    exact = [sum((Fraction(a) * Fraction(x) for a, x in zip(row, point, strict=True)), Fraction()) for row in rows]
    bound = np.array([float(value) for value in exact])
    for k, value in enumerate(exact):  # rounded up, so that the point satisfies every row exactly
        while Fraction(bound[k]) < value:
            bound[k] = np.nextafter(bound[k], np.inf)
    low = np.array([x if side in ("both", "low") else -np.inf for x, side in zip(point, given_sides, strict=True)])
    high = np.array([x if side in ("both", "high") else np.inf for x, side in zip(point, given_sides, strict=True)])
    lower, upper = close_open_sides(sparse.csr_array(np.array(rows)), bound, low, high)
    assert (lower <= point).all()
    assert (upper >= point).all()
    assert (lower[np.isfinite(low)] == low[np.isfinite(low)]).all()
    assert (upper[np.isfinite(high)] == high[np.isfinite(high)]).all()
