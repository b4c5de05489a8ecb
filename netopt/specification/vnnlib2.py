"""Reader of VNN-LIB 2.0 queries, on top of the standard's own parser and type checker (package `vnnlib`).

Declared tensors are flattened row-major and concatenated in the order of their declaration, as `Network` does with a
file's tensors. Strict inequalities are read as non-strict ones, as in VNN-LIB 1.0.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from netopt.errors import InputError
from netopt.specification.linear_rows import LinearRows
from netopt.specification.normal_form import Formula
from netopt.specification.vnnlib_version import without_comments

#: A number with an exponent, which the package's grammar lacks.
_EXPONENT = re.compile(r"(?<![\w.])-?\d+(?:\.\d*)?[eE]([-+]?\d+)")
_LARGEST_EXPONENT = 400

_REALS = frozenset({"Real", "F16", "F32", "F64", "BF16"})
_INTEGERS = frozenset({"I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64"})


@dataclass(frozen=True, slots=True)
class NetworkDeclaration:
    """What a 2.0 query declares of a network.

    Attributes
    ----------
    name : the network's name in the query.
    inputs, outputs : (name, shape) of each tensor, in order.
    """

    name: str
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, tuple[int, ...]], ...]


def declaration(text: str) -> NetworkDeclaration:
    """Return what the query declares of its network.

    Raises
    ------
    InputError
        As `parse_vnnlib2`.
    """
    network = _only_network(_query(text))
    return NetworkDeclaration(network.name, _tensors(network.inputs), _tensors(network.outputs))


def parse_vnnlib2(text: str) -> tuple[list[Formula], LinearRows]:
    """Return the asserted formulas and the rows they refer to.

    Raises
    ------
    InputError
        The parser or type checker refuses the query, or it uses several networks, hidden tensors, non-linear terms,
        ``!=`` or tensors that hold neither reals nor integers.
    """
    query = _query(text)
    network = _only_network(query)
    translator = _Translator(network)
    formulas = [translator.formula(assertion.expr) for assertion in query.assertions]
    return formulas, translator.rows()


def _query(text: str) -> Any:
    import vnnlib

    try:
        return vnnlib.parse_query_string(_EXPONENT.sub(_written_out, without_comments(text)))
    except vnnlib.VNNLibException as error:
        raise InputError(_sentence(str(error))) from error


def _written_out(match: re.Match[str]) -> str:
    if abs(int(match[1])) > _LARGEST_EXPONENT:
        raise InputError(f"the constant {match[0]} does not fit into float64")
    plain = format(Decimal(match[0]), "f")
    return plain if "." in plain else f"{plain}.0"


def _sentence(message: str) -> str:
    """Return the parser's message (plain, or JSON with a list of errors) as one sentence with its line."""
    if not message.lstrip().startswith("{"):
        return message.removeprefix("Parse error: ")
    first = json.loads(message)["errors"][0]
    return f"line {first['line']}: {first['message'].rstrip('.')} at {first['offendingSymbol']!r}; {first['hint']}"


def _only_network(query: Any) -> Any:
    if len(query.networks) != 1:
        raise InputError(f"the query declares {len(query.networks)} networks; only queries about one are supported")
    network = query.networks[0]
    if network.hidden:
        raise InputError(
            f"the query constrains hidden tensor {network.hidden[0].name!r}; only inputs and outputs may be"
        )
    return network


def _tensors(definitions: Any) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((tensor.name, tuple(tensor.shape)) for tensor in definitions)


class _Translator:
    """Gives each tensor its columns and translates expressions."""

    def __init__(self, network: Any) -> None:
        self.first: dict[str, int] = {}
        self.entries: list[tuple[dict[int, float], float]] = []
        integral: list[bool] = []
        for tensor in (*network.inputs, *network.outputs):
            kind = tensor.dtype.name
            if kind not in _REALS | _INTEGERS:
                raise InputError(f"tensor {tensor.name!r} has the type {kind}; only reals and integers are supported")
            self.first[tensor.name] = len(integral)
            integral += [kind in _INTEGERS] * int(np.prod(tensor.shape, dtype=np.int64))
        self.input_size = self.first[network.outputs[0].name]
        self.output_size = len(integral) - self.input_size
        self.integral = np.array(integral[: self.input_size], dtype=bool)

    def rows(self) -> LinearRows:
        integral = self.integral if self.integral.any() else None
        return LinearRows.of(self.entries, self.input_size, self.output_size, integral)

    def formula(self, expression: Any) -> Formula:
        kind = type(expression).__name__
        if kind in ("And", "Or"):
            return kind.lower(), [self.formula(part) for part in expression.args]
        if kind in ("LessEqual", "LessThan"):
            return self._row(expression.lhs, expression.rhs)
        if kind in ("GreaterEqual", "GreaterThan"):
            return self._row(expression.rhs, expression.lhs)
        if kind == "Equal":
            return "and", [self._row(expression.lhs, expression.rhs), self._row(expression.rhs, expression.lhs)]
        raise InputError(f"{expression} is not a comparison by <=, <, >=, > or ==; write != as an or of < and >")

    def _row(self, left: Any, right: Any) -> int:
        """Add the row ``left - right <= 0`` and return its number."""
        coefficients: dict[int, float] = {}
        constant = 0.0
        for side, sign in ((left, 1.0), (right, -1.0)):
            linear = self._linear(side)
            constant += sign * linear.constant
            for term in linear.terms:
                column = self._column(term.var)
                coefficients[column] = coefficients.get(column, 0.0) + sign * term.coeff
        self.entries.append((coefficients, 0.0 - constant))
        return len(self.entries) - 1

    @staticmethod
    def _linear(expression: Any) -> Any:
        import vnnlib

        try:
            return expression.to_linear_expr()
        except vnnlib.VNNLibException as error:
            raise InputError(f"{expression} is not linear; only constants may multiply a variable") from error

    def _column(self, variable: Any) -> int:
        offset = np.ravel_multi_index(variable.indices, variable.shape) if variable.indices else 0
        return self.first[variable.name] + int(offset)
