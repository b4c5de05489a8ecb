"""Parser of VNN-LIB 1.0: SMT-LIB declarations of X_i and Y_i and assertions of linear inequalities under and/or.

A whole simple comparison such as ``(<= X_3 0.5)`` is one token, so that files of hundreds of thousands of them are
read in seconds. Strict inequalities are read as non-strict ones, which is the field's practice: verifiers decide
closed sets, and `unsat` of the closed set implies `unsat` of the open one.
"""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn

import numpy as np

from netopt.arrays import FloatArray
from netopt.errors import InputError
from netopt.specification.normal_form import Formula, LinearRows

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TOKEN = re.compile(
    rf"\(\s*([<>]=?)\s+([XY]_\d+)\s+([XY]_\d+|{_NUMBER})\s*\)"  # a comparison with a variable on the left
    r"|([()])"
    r"|([^\s()]+)"
)
_IS_NUMBER = re.compile(_NUMBER)
_VARIABLE = re.compile(r"([XY])_(0|[1-9]\d*)")
_COMMENT = re.compile(r";[^\n]*")
_DEPTH_LIMIT = 200

#: An expression: a symbol, the number of a comparison token, or [token number, *parts].
_Expression = Any


def parse_vnnlib1(text: str) -> tuple[list[Formula], LinearRows]:
    """Return the asserted formulas and the rows they refer to.

    Raises
    ------
    InputError
        A syntax error, an undeclared variable or a term that is not linear; the message names the line.
    """
    return _Parser(_COMMENT.sub("", text)).run()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, str, str, str]] = _TOKEN.findall(text)
        self.simple: dict[tuple[str, str, str], int] = {}
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
        """Return the top-level expressions as nested lists; a comparison token becomes its number in `simple`."""
        top: list[_Expression] = []
        current = top
        stack: list[list[_Expression]] = []
        simple = self.simple
        for k, (operator, left, right, parenthesis, symbol) in enumerate(self.tokens):
            if operator:
                if current is top:
                    self._fail(k, "a comparison stands outside of any (assert …)")
                current.append(simple.setdefault((operator, left, right), len(simple)))
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

    def _fail(self, token: int, problem: str) -> NoReturn:
        start = 0
        for k, match in enumerate(_TOKEN.finditer(self.text)):
            if k == token:
                start = match.start()
                break
        line = self.text.count("\n", 0, start) + 1
        raise InputError(f"line {line}: {problem}")

    # Declarations -------------------------------------------------------------------------------------------------

    def _declares(self, expression: list[_Expression]) -> bool:
        head = expression[1] if len(expression) > 1 else None
        if head == "assert":
            return False
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
        if name in self.declared:
            self._fail(expression[0], f"{name} is declared twice")
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
        if isinstance(expression, int):
            return expression
        if isinstance(expression, str) or len(expression) < 2 or not isinstance(expression[1], str):
            self._fail(parent, f"expected a formula, found {self._shown(expression)}")
        if depth > _DEPTH_LIMIT:
            self._fail(expression[0], f"and/or alternate more than {_DEPTH_LIMIT} levels deep")
        operator = expression[1]
        if operator in ("and", "or"):
            parts = self._flattened(expression)
            return operator, [
                part if type(part) is int else self._formula(part, expression[0], depth + 1) for part in parts
            ]
        if operator not in ("<=", "<", ">=", ">", "="):
            self._fail(expression[0], f"expected and, or, <=, >=, <, > or =, found {operator!r}")
        return self._comparison(expression)

    @staticmethod
    def _flattened(expression: list[_Expression]) -> list[_Expression]:
        """Return the operands of and/or, nested ones of the same operator opened, in order and without recursion."""
        parts: list[_Expression] = expression[2:]
        if all(type(part) is int for part in parts):
            return parts
        parts = []
        waiting = expression[:1:-1]
        while waiting:
            part = waiting.pop()
            if isinstance(part, list) and len(part) > 1 and part[1] == expression[1]:
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
            elif isinstance(term, int) or len(term) < 3:
                self._fail(token, f"expected a term, found {'a formula' if isinstance(term, int) else 'nothing'}")
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
        count = len(self.simple)
        sign = np.fromiter((1.0 if op[0] == "<" else -1.0 for op, _, _ in self.simple), dtype=np.float64, count=count)
        declared = self.declared
        try:
            left = np.fromiter((declared[name] for _, name, _ in self.simple), dtype=np.int64, count=count)
            right = np.fromiter(
                (declared[text] if text[0] in "XY" else -1 for _, _, text in self.simple), dtype=np.int64, count=count
            )
        except KeyError as error:
            name = error.args[0]
            where = next(k for k, token in enumerate(self.tokens) if name in token[1:3])
            self._fail(where, f"{name!r} is not declared")
        value = np.fromiter(
            (0.0 if text[0] in "XY" else float(text) for _, _, text in self.simple), dtype=np.float64, count=count
        )
        if not np.isfinite(value).all():
            text = list(self.simple)[int(np.flatnonzero(~np.isfinite(value))[0])][2]
            self._fail(next(k for k, t in enumerate(self.tokens) if t[2] == text), f"the constant {text} is too large")
        return sign, left, right, sign * value
