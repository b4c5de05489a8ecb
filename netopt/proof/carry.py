r"""Linear functions of the inputs above rows over a network's nodes, found by substituting node after node.

Invariant: for every input of its region a row is at most ``sum_v A_v v + constant + error``, v the exact values of the
nodes. Each substitution adds to `error` what the rounding of its new coefficients can amount to:

- Affine, ``v = sum_k W_k s_k + b``: with C the computed ``A W``, ``|C - A W| <= gamma |A| |W|``, so that
  ``gamma |A| (|b| + sum_k |W_k| max |s_k|)`` covers the products with the weights and with b;
- ReLU: ``|fl(A s) - A s| <= u |fl(A s)|``, times ``max |z|``;
- a node read twice: the sum of its coefficients errs by ``u |A|``, times ``max |v|``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.proof.arithmetic import TINY, UNIT, dot, raised, relative
from netopt.proof.lines import Lines


@dataclass(slots=True, eq=False)
class Rows:
    """Rows on their way; `coefficients` maps a node's name to (p, size), `constant` and `error` are (p,)."""

    coefficients: dict[str, FloatArray]
    constant: FloatArray
    error: FloatArray

    def add_constant(self, value: FloatArray) -> None:
        """Add numbers (p,), whose own errors are accounted for elsewhere."""
        self.constant = self.constant + value
        self.add_error(UNIT * np.abs(self.constant))

    def add_error(self, value: FloatArray) -> None:
        """Add non-negative numbers (p,) to the error."""
        self.error = (self.error + value) * (1.0 + 4.0 * UNIT) + TINY


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """How large things are over the regions of the rows; one row of an array is about one region.

    Attributes
    ----------
    reach : name of a node -> (B, size), its largest absolute value.
    magnitude : name of an Affine -> (B, size), at least ``|b| + sum |W| max |s|``.
    owner : (p,) the region of every row; None when there is one region.
    """

    reach: dict[str, FloatArray]
    magnitude: dict[str, FloatArray]
    owner: IntArray | None

    def of(self, values: dict[str, FloatArray], name: str) -> FloatArray:
        """Return an array's rows for every row carried, or one row for all."""
        return values[name] if self.owner is None else values[name].take(self.owner, axis=0)


def carry(network: Network, rows: Rows, sizes: Sizes, lines: Callable[[Relu], Lines]) -> Rows:
    """Substitute until only coefficients of the inputs are left; `rows` is consumed.

    Parameters
    ----------
    lines : returns the lines of a Relu, (p or 1, size).
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for node in reversed(network.nodes):
            coefficient = rows.coefficients.pop(node.name, None)
            if coefficient is None:
                continue
            if isinstance(node, Relu):
                _relu(node, coefficient, rows, sizes, lines(node))
            else:
                _affine(node, coefficient, rows, sizes)
    if INPUT not in rows.coefficients:
        rows.coefficients[INPUT] = np.zeros((len(rows.constant), network.input_size))
    return rows


def join(rows: Rows, name: str, coefficient: FloatArray, sizes: Sizes) -> None:
    """Add coefficients of a node to those it has."""
    present = rows.coefficients.get(name)
    if present is not None:
        coefficient = present + coefficient
        size = np.abs(coefficient)
        terms = coefficient.shape[1] + 1
        rows.add_error(UNIT * raised(dot(size, sizes.of(sizes.reach, name)), terms))
    rows.coefficients[name] = coefficient


def _affine(node: Affine, coefficient: FloatArray, rows: Rows, sizes: Sizes) -> None:
    terms = node.size + 1
    lost = raised(dot(np.abs(coefficient), sizes.of(sizes.magnitude, node.name)), terms)
    rows.add_error(relative(terms) * lost)
    rows.add_constant(coefficient @ node.bias)
    rows.add_error(np.full(len(coefficient), terms * TINY))
    for source, linear_map in zip(node.inputs, node.maps, strict=True):
        underflow = sizes.of(sizes.reach, source).sum(axis=1) * (2.0 * terms * TINY)
        rows.add_error(underflow)
        join(rows, source, linear_map.apply_transpose(coefficient), sizes)


def _relu(node: Relu, coefficient: FloatArray, rows: Rows, sizes: Sizes, lines: Lines) -> None:
    positive = np.maximum(coefficient, 0.0)
    passed = positive * lines.above + (coefficient - positive) * lines.below  # one of the two is zero
    above = dot(positive, lines.intercept)
    rows.add_constant(above)
    terms = node.size + 1
    rows.add_error(relative(terms) * raised(above, terms) + terms * TINY)
    reach = sizes.of(sizes.reach, node.input)
    rows.add_error(UNIT * raised(dot(np.abs(passed), reach), terms) + raised(TINY * reach.sum(axis=1), terms))
    join(rows, node.input, passed, sizes)
