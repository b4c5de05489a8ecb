"""Writer of VNN-LIB 1.0 files."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from netopt.arrays import FloatArray
from netopt.checks import check_kind
from netopt.errors import InputError
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.polytope import Polytope
from netopt.specification.property import Case, Conjunction, Property


def write_vnnlib(prop: Property, path: str | Path) -> None:
    """Write a property as a VNN-LIB 1.0 file, gzipped where the name ends in ``.gz``.

    Numbers are written so that they read back exactly.

    Raises
    ------
    InputError
        A domain has no form in VNN-LIB 1.0 (L1 balls, integers), or the file cannot be written.
    """
    check_kind(prop, Property, "the property", "give a Property")
    check_kind(path, (str, Path), "the path", "give text or a pathlib.Path")
    text = "\n".join(_lines(prop)) + "\n"
    target = Path(path)
    try:
        target.write_bytes(gzip.compress(text.encode(), mtime=0) if target.suffix == ".gz" else text.encode())
    except OSError as error:
        raise InputError(f"cannot write the property to {path} ({error}); give a path that can be written") from error


def _lines(prop: Property) -> Iterator[str]:
    for k in range(prop.input_size):
        yield f"(declare-const X_{k} Real)"
    for k in range(prop.output_size):
        yield f"(declare-const Y_{k} Real)"
    if len(prop.cases) == 1:
        for row in _domain_rows(prop.cases[0].domain):
            yield f"(assert {row})"
        yield from _assertions(prop.cases[0])
        return
    if not prop.cases:
        raise InputError("a property without cases holds nowhere; VNN-LIB 1.0 has no form for it")
    yield "(assert (or"
    for case in prop.cases:
        shared = " ".join(_domain_rows(case.domain))
        for disjunct in case.disjuncts:
            yield f"  (and {' '.join([shared, *_conjunction_rows(disjunct)])})"
    yield "))"


def _assertions(case: Case) -> Iterator[str]:
    if len(case.disjuncts) == 1:
        for row in _conjunction_rows(case.disjuncts[0]):
            yield f"(assert {row})"
        return
    yield "(assert (or"
    for disjunct in case.disjuncts:
        yield f"  (and {' '.join(_conjunction_rows(disjunct)) or '(<= 0 0)'})"
    yield "))"


def _domain_rows(domain: Domain) -> Iterator[str]:
    if not isinstance(domain, Box | Polytope):
        raise InputError(f"a {type(domain).__name__} has no form in VNN-LIB 1.0; write its box or polytope")
    for k, (low, high) in enumerate(zip(domain.low.tolist(), domain.high.tolist(), strict=True)):
        yield f"(>= X_{k} {low!r})"
        yield f"(<= X_{k} {high!r})"
    if isinstance(domain, Polytope):
        matrix = domain.matrix.toarray()
        for row, low, high in zip(matrix, domain.row_lower.tolist(), domain.row_upper.tolist(), strict=True):
            if low > -np.inf:
                yield f"(>= {_sum(row, 'X')} {low!r})"
            if high < np.inf:
                yield f"(<= {_sum(row, 'X')} {high!r})"


def _conjunction_rows(conjunction: Conjunction) -> Iterator[str]:
    inputs = None if conjunction.input_matrix is None else conjunction.input_matrix.toarray()
    for k, (row, bound) in enumerate(zip(conjunction.output_matrix, conjunction.bound.tolist(), strict=True)):
        terms = _terms(row, "Y") + ([] if inputs is None else _terms(inputs[k], "X"))
        yield f"(<= {_joined(terms)} {bound!r})"


def _sum(coefficients: FloatArray, name: str) -> str:
    return _joined(_terms(coefficients, name))


def _joined(terms: list[str]) -> str:
    return f"(+ {' '.join(terms)})" if len(terms) > 1 else terms[0] if terms else "0"


def _terms(coefficients: FloatArray, name: str) -> list[str]:
    return [
        f"{name}_{k}" if coefficients[k] == 1.0 else f"(* {float(coefficients[k])!r} {name}_{k})"
        for k in np.flatnonzero(coefficients).tolist()
    ]
