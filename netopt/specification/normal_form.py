"""Disjunctive normal form of nested and/or formulas over numbered rows."""

from __future__ import annotations

from collections.abc import Sequence

from netopt.errors import InputError

#: A row number, or ("and" | "or", formulas).
Formula = int | tuple[str, list["Formula"]]
#: Row numbers that must all hold.
Clause = tuple[int, ...]

#: More conjunctions than this are refused: the expansion of nested and/or is exponential.
CLAUSE_LIMIT = 1_000_000
#: Rows written out over all conjunctions, for the same reason.
ROW_LIMIT = 20_000_000


def disjunctive_form(formulas: Sequence[Formula]) -> tuple[Clause, list[Clause]]:
    """Return the rows every disjunct shares, and the disjuncts' own rows."""
    common: list[int] = []
    clauses: list[Clause] = [()]
    for formula in formulas:
        expanded = _expand(formula)
        if len(expanded) == 1:
            common.extend(expanded[0])
        else:
            clauses = _product(clauses, expanded)
    return tuple(dict.fromkeys(common)), clauses


def _expand(formula: Formula) -> list[Clause]:
    """Return the disjunctive normal form of a formula."""
    if isinstance(formula, int):
        return [(formula,)]
    operator, parts = formula
    if operator == "and":
        plain = tuple([part for part in parts if isinstance(part, int)])
        if len(plain) == len(parts):
            return [plain]
        clauses: list[Clause] = [plain]
        for part in parts:
            if not isinstance(part, int):
                clauses = _product(clauses, _expand(part))
        return clauses
    joined: list[Clause] = []
    for part in parts:
        joined.extend(_expand(part))
    _check_size(len(joined), 0)
    return joined


def _product(left: list[Clause], right: list[Clause]) -> list[Clause]:
    rows = len(right) * sum(map(len, left)) + len(left) * sum(map(len, right))
    _check_size(len(left) * len(right), rows)
    if left == [()]:
        return right
    return [first + second for first in left for second in right]


def _check_size(clauses: int, rows: int) -> None:
    if clauses > CLAUSE_LIMIT or rows > ROW_LIMIT:
        raise InputError(
            f"the property expands to {clauses} conjunctions, more than {CLAUSE_LIMIT}, or {rows} rows, more than"
            f" {ROW_LIMIT}; split it into several properties"
        )
