"""What is written reads back as the same property."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from netopt.errors import InputError
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope
from netopt.specification.property import Case, Conjunction, Property
from netopt.specification.vnnlib import read_vnnlib
from netopt.specification.vnnlib_writer import write_vnnlib


def random_property(rng: np.random.Generator, cases: int, disjuncts: int) -> Property:
    made = []
    for _ in range(cases):
        low = rng.uniform(-1.0, 0.0, 3)
        domain: Box | Polytope = Box(low, low + rng.uniform(0.0, 1.0, 3))
        if rng.random() < 0.5:
            rows = rng.standard_normal((2, 3))
            middle = rows @ domain.center
            domain = Polytope(rows, [-np.inf, middle[1] - 0.1], middle + 0.2, domain.lower, domain.upper)
        made.append(Case(domain, tuple(random_conjunction(rng) for _ in range(disjuncts))))
    return Property(tuple(made), 3, 2)


def random_conjunction(rng: np.random.Generator) -> Conjunction:
    rows = int(rng.integers(0, 4))
    output = rng.standard_normal((rows, 2)) * rng.integers(0, 2, (rows, 2))
    inputs = sparse.csr_array(rng.standard_normal((rows, 3)) * (output.any(axis=1) * rng.integers(0, 2, rows))[:, None])
    return Conjunction(output, rng.standard_normal(rows) * 10.0 ** rng.integers(-9, 3), inputs)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3), st.sampled_from(["p.vnnlib", "p.vnnlib.gz"]))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, cases: int, disjuncts: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    prop = random_property(rng, cases, disjuncts)
    path = tmp_path_factory.mktemp("written") / name
    write_vnnlib(prop, path)
    back = read_vnnlib(path)
    assert (back.input_size, back.output_size) == (3, 2)
    x = np.concatenate([case.domain.sample(rng, 20) for case in prop.cases] + [rng.uniform(-1.5, 1.5, (20, 3))])
    y = rng.uniform(-2.0, 2.0, (x.shape[0], 2))
    assert back.satisfied(x, y).tolist() == prop.satisfied(x, y).tolist()


def test_public_properties_survive(vnncomp: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("acasxu_2023/vnnlib/prop_2", "cora/vnnlib/mnist-img0", "nn4sys_2023/vnnlib/lindex_400"):
        prop = read_vnnlib(vnncomp / f"{name}.vnnlib.gz")
        write_vnnlib(prop, tmp_path / "p.vnnlib")
        back = read_vnnlib(tmp_path / "p.vnnlib")
        assert len(back.cases) == len(prop.cases)
        for one, other in zip(prop.cases, back.cases, strict=True):
            assert np.array_equal(one.domain.lower, other.domain.lower)
            assert np.array_equal(one.domain.upper, other.domain.upper)
        x = np.concatenate([case.domain.sample(rng, 2) for case in prop.cases[:20]])
        y = rng.uniform(-2.0, 2.0, (x.shape[0], prop.output_size))
        assert np.array_equal(prop.satisfied(x, y), back.satisfied(x, y))


def test_refuses_what_the_format_lacks(tmp_path: Path) -> None:
    always = (Conjunction(np.zeros((0, 1)), np.zeros(0)),)
    ball = L1Ball(np.zeros(2), 1.0, -np.ones(2), np.ones(2))
    with pytest.raises(InputError, match="L1Ball has no form in VNN-LIB"):
        write_vnnlib(Property((Case(ball, always),), 2, 1), tmp_path / "p.vnnlib")
    with pytest.raises(InputError, match="without cases"):
        write_vnnlib(Property((), 2, 1), tmp_path / "p.vnnlib")
    with pytest.raises(InputError, match="cannot write the property"):
        write_vnnlib(Property((Case(Box(np.zeros(2), np.ones(2)), always),), 2, 1), tmp_path / "none" / "p.vnnlib")
