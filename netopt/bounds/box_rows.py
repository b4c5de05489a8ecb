r"""Linear upper functions of rows over many boxes at once, carried backward in float32 or float64.

The rows of a batch of boxes lie side by side, each with the box it is about, so that a step through a layer is one
matrix product for all of them. The mathematics is that of `netopt.bounds.backward`. What differs is the account of
rounding, cheap enough not to slow down the products: with m the magnitude ``|b| + sum |W| max |x|`` of an Affine,
:math:`|A|\,m \le \lVert A\rVert_2 \lVert m\rVert_2` (Cauchy and Schwarz), and one norm a row and step pays for

* the rounding of the weights and of the coefficients to this type, u each,
* the rounding of ``A s`` at the ReLU before, u,
* the product ``A W`` and ``A b``, gamma of the terms,
* the forward pass in float64 and the sums of the constants, which are kept in float64.

Intercepts are not negative, so their sums err by a gamma of themselves. Everything at the inputs is float64 again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.precision import DOUBLE, Floats, Precision
from netopt.bounds.propagation import Propagation, affine_terms
from netopt.bounds.relaxation import relax
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Node, Relu

#: Covers the rounding of the norms and of the sums of errors themselves.
_ROUNDING_OF_ERRORS = 1.1


@dataclass(frozen=True, slots=True, eq=False)
class RoundedAffine:
    """An Affine in some precision.

    Attributes
    ----------
    maps, bias : rounded.
    error : a product with coefficients errs by at most this times their norm times that of the node's magnitude.
    """

    maps: tuple[LinearMap, ...]
    bias: Floats
    error: float


def rounded_affines(network: Network, precision: Precision) -> dict[str, RoundedAffine]:
    """Return every Affine of the network in a precision, by name."""
    result = {}
    for node in network.affines:
        forward = DOUBLE.gamma(affine_terms(node) + 8)
        error = precision.gamma(node.size + 2 * len(network.nodes) + 16) + forward
        with np.errstate(over="ignore", under="ignore"):  # infinite weights have infinite bounds
            maps = tuple(linear_map.astype(precision.dtype) for linear_map in node.maps)
        result[node.name] = RoundedAffine(maps, precision.nearest(node.bias), error)
    return result


@dataclass(slots=True, eq=False)
class BoxRows:
    """Rows on their way to the inputs; see `netopt.bounds.backward.Rows`.

    Attributes
    ----------
    coefficients : name of a node -> (p, size), an array or, from `netopt.bounds.sparse_rows`, a sparse one.
    constant, error : (p,) float64.
    owner : (p,) the box a row is about, ascending.
    """

    coefficients: dict[str, Any]
    constant: FloatArray
    error: FloatArray
    owner: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """A `Relaxation` in some precision, (B, size) each; intercepts rounded up."""

    lower_slope: Floats
    upper_slope: Floats
    intercept: Floats


class BoxBackward:
    """Carries rows backward over the boxes of `state`, whose ReLUs are relaxed one by one.

    Parameters
    ----------
    state : bounds of the nodes over each box, filled by the caller.
    affines : the network's, rounded to `precision`.
    """

    def __init__(self, state: Propagation, affines: Mapping[str, RoundedAffine], precision: Precision) -> None:
        self.state = state
        self._affines = affines
        self._precision = precision
        self._lines: dict[str, _Lines] = {}
        self._error: dict[str, FloatArray] = {}
        self._position = {node.name: k for k, node in enumerate(state.network.nodes)}

    def relax(self, node: Relu) -> None:
        """Choose the lines of a ReLU from the bounds of its pre-activation."""
        lines = relax(self.state.lower[node.input], self.state.upper[node.input], self._precision.dtype)
        self._lines[node.name] = _Lines(
            self._precision.nearest(lines.lower_slope),
            self._precision.nearest(lines.upper_slope),
            self._precision.above(lines.upper_intercept),
        )

    def both_sides(self, node: Affine, neurons: IntArray, owner: IntArray) -> BoxRows:
        """Return the rows ``-value`` and ``value`` of each neuron of an Affine in turn, written over its sources."""
        affine = self._affines[node.name]
        bias = node.bias[neurons]
        error = 3.0 * affine.error * self.state.magnitude[node.name][owner, neurons]
        coefficients: dict[str, Floats] = {}
        for source, linear_map in zip(node.inputs, affine.maps, strict=True):
            rows = linear_map.rows(neurons)
            both = np.stack([-rows, rows], axis=1).reshape(-1, linear_map.in_size)
            coefficients[source] = coefficients[source] + both if source in coefficients else both
        constant = np.stack([-bias, bias], axis=1).ravel()
        return BoxRows(coefficients, constant, np.repeat(error, 2), np.repeat(owner, 2))

    def run(
        self, rows: BoxRows, looseness: dict[str, Floats] | None = None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Carry `rows` (consumed) to the inputs: return coefficients (p, n) in float64, constants and errors (p,).

        A row is at most ``coefficients @ x + constant + error`` over its box.

        Parameters
        ----------
        looseness : filled with name of a ReLU -> (p, size), what each neuron's lines may add to the row at most.
        """
        nodes = self.state.network.nodes
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            self._begin(rows)
            last = max((self._position[name] for name in rows.coefficients if name != INPUT), default=-1)
            for node in reversed(nodes[: last + 1]):
                if node.name in rows.coefficients:
                    if looseness is not None and isinstance(node, Relu):
                        looseness[node.name] = self._loose(node, rows)
                    self._step(node, rows)
            coefficients = rows.coefficients.get(INPUT)
            if coefficients is None:
                coefficients = np.zeros((rows.constant.size, self.state.network.input_size))
            lost = self.state.underflow * (self._precision.tiny / DOUBLE.tiny)
            error = _ROUNDING_OF_ERRORS * rows.error + 2.0 * lost[rows.owner]
        return self._dense(coefficients), rows.constant, error

    def _begin(self, rows: BoxRows) -> None:
        """Bring coefficients into the form that they are carried in."""

    def _dense(self, value: Floats) -> FloatArray:
        """Return coefficients in that form as an array."""
        return np.asarray(value, dtype=np.float64)

    def _step(self, node: Node, rows: BoxRows) -> None:
        value = rows.coefficients.pop(node.name)
        if isinstance(node, Relu):
            self._through_relu(node, value, rows)
        else:
            self._through_affine(node, value, rows)

    def _through_affine(self, node: Affine, value: Floats, rows: BoxRows) -> None:
        affine = self._affines[node.name]
        rows.constant += value @ affine.bias
        rows.error += self._norm(value) * self._error_of(node)[rows.owner]
        for source, linear_map in zip(node.inputs, affine.maps, strict=True):
            self._add(rows, source, linear_map.apply_transpose(value))

    def _through_relu(self, node: Relu, value: Floats, rows: BoxRows) -> None:
        lines = self._lines[node.name]
        positive = np.maximum(value, 0)
        intercept = np.einsum("pk,pk->p", positive, lines.intercept.take(rows.owner, axis=0)).astype(np.float64)
        rows.constant += intercept
        rows.error += self._precision.gamma(node.size + 2 * len(self._position) + 16) * intercept
        negative = np.subtract(value, positive, out=value)
        positive *= lines.upper_slope.take(rows.owner, axis=0)
        negative *= lines.lower_slope.take(rows.owner, axis=0)
        positive += negative  # exact: one of the two is zero
        self._add(rows, node.input, positive)

    def _loose(self, node: Relu, rows: BoxRows) -> Floats:
        """Return the coefficients' sizes times the largest distance of the line they meet from the ReLU."""
        lines, value = self._lines[node.name], rows.coefficients[node.name]
        above = lines.intercept.take(rows.owner, axis=0)
        lower, upper = self.state.lower[node.input], self.state.upper[node.input]
        below = self._precision.nearest(np.maximum(0.0, np.minimum(-lower, upper))).take(rows.owner, axis=0)
        distance: Floats = np.where(value > 0, value * above, -value * below)
        return distance

    def _add(self, rows: BoxRows, name: str, value: Floats) -> None:
        present = rows.coefficients.get(name)
        if present is not None:
            value = present + value
            reach = _norms(self.state.reach(name))
            rows.error += 2.0 * self._precision.unit_roundoff * self._norm(value) * reach[rows.owner]
        rows.coefficients[name] = value

    def _norm(self, value: Floats) -> FloatArray:
        """Return the norms of rows (p, k), however small their entries."""
        squares = np.einsum("pk,pk->p", value, value).astype(np.float64)
        norms: FloatArray = np.sqrt(squares + value.shape[1] * self._precision.tiny)
        return norms

    def _error_of(self, node: Affine) -> FloatArray:
        """Return what a product of coefficients of norm 1 with an Affine may err by over each box, (B,)."""
        if node.name not in self._error:
            # Weights that round to zero err by `tiny` each, whatever they are multiplied with.
            reach = sum(self.state.reach(source).sum(axis=1) for source in node.inputs)
            lost = np.sqrt(node.size) * self._precision.tiny * (1.0 + reach)
            self._error[node.name] = self._affines[node.name].error * _norms(self.state.magnitude[node.name]) + lost
        return self._error[node.name]


def _norms(values: FloatArray) -> FloatArray:
    """Return the Euclidean norms of rows (B, k), without overflow on the way."""
    largest = values.max(axis=1, initial=0.0)
    scale = np.where((largest > 0.0) & np.isfinite(largest), largest, 1.0)
    norms: FloatArray = scale * np.sqrt(((values / scale[:, None]) ** 2).sum(axis=1))
    return norms
