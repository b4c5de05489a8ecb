"""Parser of VNN-LIB 1.0: SMT-LIB declarations of X_i and Y_i and assertions of linear inequalities under and/or.

A variable may be declared again: all are real, so that changes nothing.

A whole simple comparison such as ``(<= X_3 0.5)`` is one token, and so is a whole conjunction of them, so that files of
hundreds of thousands are read in a second. Strict inequalities are read as non-strict ones, which is the field's
practice: verifiers decide closed sets, and `unsat` of the closed set implies `unsat` of the open one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

import numpy as np

from netopt.arrays import FloatArray
from netopt.errors import InputError
from netopt.specification.linear_rows import LinearRows
from netopt.specification.normal_form import Formula
from netopt.specification.vnnlib_version import without_comments

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SIMPLE = rf"\(\s*[<>]=?\s+[XY]_\d+\s+(?:[XY]_\d+|{_NUMBER})\s*\)"  # a comparison with a variable on the left
_COMPARISON = re.compile(_SIMPLE)
_TOKEN = re.compile(rf"({_SIMPLE}|\(\s*and(?:\s*{_SIMPLE})++\s*\))|([()])|([^\s()]+)")
_IS_NUMBER = re.compile(_NUMBER)
_VARIABLE = re.compile(r"([XY])_(0|[1-9]\d*)")
_DEPTH_LIMIT = 200
#: Commands of SMT-LIB that say nothing of the property.
_WITHOUT_MEANING = {"set-logic", "set-info", "set-option", "check-sat", "get-model", "exit"}

#: An expression: a symbol, the row of a simple comparison, ("and", rows), or [token number, *parts].
_Expression = Any


def parse_vnnlib1(text: str) -> tuple[list[Formula], LinearRows]:
    """Return the asserted formulas and the rows they refer to.

    Raises
    ------
    InputError
        A syntax error, an undeclared variable or a term that is not linear; the message names the line.
    """
    return _Parser(without_comments(text)).run()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, str]] = _TOKEN.findall(text)
        self.simple: dict[str, int] = {}
        self.sizes = {"X": 0, "Y": 0}
        self.declared: dict[str, int] = {}
        self.general: list[tuple[dict[str, float], float]] = []

    def run(self) -> tuple[list[Formula], LinearRows]:
        expressions = self._nest()
        assertions = [expression for expression in expressions if not self._declares(expression)]
        self._number_variables()
        formulas = [self._assertion(expression) for expression in assertions]
        return formulas, self._rows()

    # Nesting ------------------------------------------------------------------------------------------------------

    def _nest(self) -> list[_Expression]:
        """Return the top-level expressions as nested lists."""
        top: list[_Expression] = []
        current = top
        stack: list[list[_Expression]] = []
        blocks = self._blocks()
        for k, (block, parenthesis, symbol) in enumerate(self.tokens):
            if block:
                if current is top:
                    self._fail(k, "a comparison stands outside of any (assert …)")
                current.append(next(blocks))
            elif symbol:
                if current is top:
                    self._fail(k, f"{symbol!r} stands outside of any (assert …) or (declare-const …)")
                current.append(symbol)
            elif parenthesis == "(":
                stack.append(current)
                current = [k]
                stack[-1].append(current)
            elif stack:
                current = stack.pop()
            else:
                self._fail(k, "')' closes nothing")
        if stack:
            self._fail(stack[1][0] if len(stack) > 1 else current[0], "'(' is never closed")
        return top

    def _blocks(self) -> Iterator[Formula]:
        """Yield the formula of every token that is one; equal comparisons have one row, a number in `simple`."""
        blocks = [token[0] for token in self.tokens if token[0]]
        comparisons: list[str] = _COMPARISON.findall("".join(blocks))
        self.simple = {text: row for row, text in enumerate(dict.fromkeys(comparisons))}
        rows: list[Formula] = list(map(self.simple.__getitem__, comparisons))
        first = 0
        for block in blocks:
            opened = block.count("(")
            if opened == 1:  # a conjunction opens one more
                yield rows[first]
                first += 1
            else:
                yield "and", rows[first : first + opened - 1]
                first += opened - 1

    def _fail(self, token: int, problem: str) -> NoReturn:
        self._fail_at(next(islice(_TOKEN.finditer(self.text), token, None)).start(), problem)

    def _fail_at(self, place: int, problem: str) -> NoReturn:
        raise InputError(f"line {self.text.count(chr(10), 0, place) + 1}: {problem}")

    # Declarations -------------------------------------------------------------------------------------------------

    def _declares(self, expression: list[_Expression]) -> bool:
        head = expression[1] if len(expression) > 1 else None
        if head == "assert":
            return False
        if isinstance(head, str) and head in _WITHOUT_MEANING:
            return True
        if head not in ("declare-const", "declare-fun"):
            self._fail(expression[0], f"expected (assert …) or (declare-const …), found {self._shown(head)}")
        found, sort = expression[2] if len(expression) > 2 else None, expression[-1]
        match = _VARIABLE.fullmatch(found) if isinstance(found, str) else None
        if match is None or len(expression) != (4 if head == "declare-const" else 5):
            self._fail(
                expression[0], f"declare inputs as X_0, X_1, … and outputs as Y_0, Y_1, …, not {self._shown(found)}"
            )
        name: str = match[0]
        if sort != "Real":
            self._fail(expression[0], f"{name} is declared as {self._shown(sort)}; only Real is supported")
        kind, index = match[1], int(match[2])
        self.declared[name] = index
        self.sizes[kind] = max(self.sizes[kind], index + 1)
        return True

    def _number_variables(self) -> None:
        """Turn indices into columns: inputs first, then outputs."""
        for name, index in self.declared.items():
            self.declared[name] = index if name[0] == "X" else index + self.sizes["X"]

    @staticmethod
    def _shown(part: _Expression) -> str:
        return repr(part) if isinstance(part, str) else "an expression" if part is not None else "nothing"

    # Formulas -----------------------------------------------------------------------------------------------------

    def _assertion(self, expression: list[_Expression]) -> Formula:
        if len(expression) != 3:
            self._fail(expression[0], f"(assert …) takes one formula, {len(expression) - 2} were found")
        return self._formula(expression[2], expression[0], 0)

    def _formula(self, expression: _Expression, parent: int, depth: int) -> Formula:
        if isinstance(expression, int | tuple):
            return expression
        if isinstance(expression, str) or len(expression) < 2 or not isinstance(expression[1], str):
            self._fail(parent, f"expected a formula, found {self._shown(expression)}")
        if depth > _DEPTH_LIMIT:
            self._fail(expression[0], f"and/or alternate more than {_DEPTH_LIMIT} levels deep")
        operator = expression[1]
        if operator in ("and", "or"):
            parts = self._flattened(expression)
            return operator, [
                part if type(part) is not list else self._formula(part, expression[0], depth + 1) for part in parts
            ]
        if operator not in ("<=", "<", ">=", ">", "="):
            self._fail(expression[0], f"expected and, or, <=, >=, <, > or =, found {operator!r}")
        return self._comparison(expression)

    @staticmethod
    def _flattened(expression: list[_Expression]) -> list[_Expression]:
        """Return the operands of and/or, nested ones of the same operator opened, in order and without recursion."""
        operator, parts, waiting = expression[1], list[_Expression](), expression[:1:-1]
        while waiting:
            part = waiting.pop()
            if type(part) is tuple and operator == "and":
                parts.extend(part[1])
            elif type(part) is list and len(part) > 1 and part[1] == operator:
                waiting.extend(part[:1:-1])
            else:
                parts.append(part)
        return parts

    def _comparison(self, expression: list[_Expression]) -> Formula:
        operator = expression[1]
        if len(expression) != 4:
            self._fail(expression[0], f"{operator} takes two terms, {len(expression) - 2} were found")
        left, right = expression[2:]
        if operator in (">=", ">"):
            left, right = right, left
        row = self._general_row(left, right, expression[0])
        return ("and", [row, self._general_row(right, left, expression[0])]) if operator == "=" else row

    def _general_row(self, left: _Expression, right: _Expression, token: int) -> int:
        """Add the row ``left - right <= 0``; general rows are numbered after the simple ones."""
        coefficients, constant = self._linear([(left, 1.0), (right, -1.0)], token)
        self.general.append((coefficients, 0.0 - constant))
        return len(self.simple) + len(self.general) - 1

    # Terms --------------------------------------------------------------------------------------------------------

    def _linear(self, waiting: list[tuple[_Expression, float]], token: int) -> tuple[dict[str, float], float]:
        """Return (coefficients, constant) of the sum of (term, factor) pairs."""
        coefficients: dict[str, float] = {}
        constant = 0.0
        while waiting:
            term, factor = waiting.pop()
            if isinstance(term, str):
                if _IS_NUMBER.fullmatch(term):
                    constant += factor * self._number(term, token)
                elif term in self.declared:
                    coefficients[term] = coefficients.get(term, 0.0) + factor
                else:
                    self._fail(token, f"{term!r} is neither a number nor a declared variable")
            elif not isinstance(term, list) or len(term) < 3:
                self._fail(token, f"expected a term, found {'nothing' if isinstance(term, list) else 'a formula'}")
            else:
                waiting.extend(self._operands(term, factor))
        return coefficients, constant

    def _operands(self, term: list[_Expression], factor: float) -> list[tuple[_Expression, float]]:
        operator, parts = term[1], term[2:]
        if operator == "+":
            return [(part, factor) for part in parts]
        if operator == "-":
            first = factor if len(parts) > 1 else -factor
            return [(parts[0], first), *((part, -factor) for part in parts[1:])]
        if operator not in ("*", "/"):
            self._fail(term[0], f"expected +, -, * or /, found {self._shown(operator)}")
        result: list[tuple[_Expression, float]] | None = None
        for k, part in enumerate(parts):
            coefficients, constant = self._linear([(part, 1.0)], term[0])
            divides = operator == "/" and k > 0
            if coefficients and (result is not None or divides):
                self._fail(term[0], "the product or quotient is not linear; only constants may multiply a variable")
            if divides and constant == 0.0:
                self._fail(term[0], "division by zero")
            if coefficients:
                result = [*coefficients.items(), (repr(constant), 1.0)]
            else:
                factor = factor / constant if divides else factor * constant
        return [(part, own * factor) for part, own in (result or [("1", 1.0)])]

    def _number(self, text: str, token: int) -> float:
        value = float(text)
        if not math.isfinite(value):
            self._fail(token, f"the constant {text} is too large for float64")
        return value

    # Rows ---------------------------------------------------------------------------------------------------------

    def _rows(self) -> LinearRows:
        sign, left, right, bound = self._simple_arrays()
        n, m = self.sizes["X"], self.sizes["Y"]
        compared = np.flatnonzero(right >= 0)
        sign[left == right] = 0.0
        entries = [({self.declared[name]: c for name, c in row.items()}, limit) for row, limit in self.general]
        general = LinearRows.of(entries, n, m)
        return LinearRows.of_triples(
            np.concatenate([np.arange(sign.size), compared, sign.size + general.row]),
            np.concatenate([left, right[compared], general.columns]),
            np.concatenate([sign, -sign[compared], general.values]),
            np.concatenate([bound, general.bound]),
            n,
            m,
        )

    def _simple_arrays(self) -> tuple[FloatArray, Any, Any, FloatArray]:
        """Return sign, left column, right column (-1 for a number) and bound of every simple comparison."""
        words = " ".join([text[1:-1] for text in self.simple]).split()
        operators, lefts, rights = words[0::3], words[1::3], words[2::3]
        declared, count = self.declared, len(self.simple)
        compared = np.array([text[0] in "XY" for text in rights], dtype=bool)
        sign = np.array([1.0 if operator[0] == "<" else -1.0 for operator in operators], dtype=np.float64)
        left = np.array([declared.get(name, -1) for name in lefts], dtype=np.int64)
        right = np.full(count, -1, dtype=np.int64)
        value = np.zeros(count)
        names = [rights[k] for k in np.flatnonzero(compared).tolist()]
        right[compared] = [declared.get(name, -1) for name in names]
        value[~compared] = [float(rights[k]) for k in np.flatnonzero(~compared).tolist()]
        texts = list(self.simple)
        for wrong in np.flatnonzero((left < 0) | (compared & (right < 0)))[:1].tolist():
            name = lefts[wrong] if left[wrong] < 0 else rights[wrong]
            self._fail_at(self.text.index(texts[wrong]), f"{name!r} is not declared")
        for wrong in np.flatnonzero(~np.isfinite(value))[:1].tolist():
            self._fail_at(self.text.index(texts[wrong]), f"the constant {rights[wrong]} is too large")
        return sign, left, right, sign * value
