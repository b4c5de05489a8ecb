r"""Linear upper functions of rows over the nodes, carried backward to the inputs.

A row ``sum_v A_v v`` over nodes v is bounded from above by replacing, in reverse topological order, each Affine by its
definition and each ReLU by the line above it (positive coefficient) or below it (negative coefficient).

Rounding. Let ``m = |b| + sum |W| max |x|`` of an Affine, v what the forward pass computes, C the computed ``A W``:

.. math:: |A v - (C x + A b)| \le |A|\,|v - W x - b| + |A W - C|\,|x| \le (\gamma_{k} + \gamma_{K})\,|A|\,m ,

k its fan-in, K its size. At a ReLU ``fl(A s) a`` errs by ``u |A s| |a|``, the intercepts by ``gamma |A| t``; a sum of
two readers' coefficients by ``u |A| |v|``. These are added up in `Rows.error`, each with a gamma of all the terms
together (so that the sums of the constants themselves are covered) and doubled at the end for the rounding of the
error terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.inputs import block_rows, weighted
from netopt.bounds.propagation import Propagation
from netopt.bounds.relaxation import Relaxation
from netopt.bounds.rounding import UNIT_ROUNDOFF, gamma, sound_upper
from netopt.network.network import INPUT
from netopt.network.nodes import Affine, Node, Relu


@dataclass(slots=True, eq=False)
class Rows:
    """Rows on their way to the inputs.

    Attributes
    ----------
    coefficients : name of a node -> (p, size): the row is their product with the nodes' values, plus `constant`.
    constant, error : (p,).
    owner : (p,) the member of the batch a row is about; None when there is one member only.
    """

    coefficients: dict[str, FloatArray]
    constant: FloatArray
    error: FloatArray
    owner: IntArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class UpperFunctions:
    """``row <= coefficients @ x + constant`` for every x of the row's input set, and the maximum of that, `bound`.

    Attributes
    ----------
    coefficients : (p, n).
    constant : (p,), every rounding error up to here included.
    bound : (p,) sound upper bounds.
    """

    coefficients: FloatArray
    constant: FloatArray
    bound: FloatArray


class Backward:
    """Carries rows backward through a network whose ReLUs are relaxed over the input sets of `state`."""

    def __init__(self, state: Propagation, relaxations: Mapping[str, Relaxation]) -> None:
        self.state = state
        self.relaxations = relaxations
        self._position = {node.name: k for k, node in enumerate(state.network.nodes)}
        self._gamma = gamma(2 * state.terms)

    @property
    def rounding(self) -> float:
        """Share of a sum's magnitude that its rounding may amount to."""
        return self._gamma

    @property
    def block(self) -> int:
        """Number of rows to carry at a time."""
        return block_rows(max(self.state.network.input_size, *(node.size for node in self.state.network.nodes)))

    def run(self, rows: Rows) -> UpperFunctions:
        """Carry `rows` (consumed) to the inputs and maximise them there."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            last = max((self._position[name] for name in rows.coefficients if name != INPUT), default=-1)
            for node in reversed(self.state.network.nodes[: last + 1]):
                if node.name in rows.coefficients:
                    self._step(node, rows)
            return self._concretise(rows)

    def start(self, node: Affine, neurons: IntArray, owner: IntArray | None, sign: float) -> Rows:
        """Return the rows ``sign * value[neurons]`` of an Affine, already written over its sources."""
        rows = Rows({}, sign * node.bias[neurons], np.zeros(neurons.size), owner)
        magnitude = self.state.magnitude[node.name]
        rows.error += self._gamma * (magnitude[0, neurons] if owner is None else magnitude[owner, neurons])
        for source, linear_map in zip(node.inputs, node.maps, strict=True):
            self._add(rows, source, sign * linear_map.rows(neurons))
        return rows

    def combination(self, node: Affine, weights: FloatArray) -> Rows:
        """Return the rows ``weights @ value`` of an Affine that `state` has bounded, written over its sources."""
        rows = Rows({}, np.zeros(len(weights)), np.zeros(len(weights)))
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            self._through_affine(node, weights, rows)
        return rows

    def coefficients(self, rows: Rows, name: str) -> FloatArray:
        """Return the coefficients (p, size) with which `rows` (consumed) reach a node on their way to the inputs."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for node in reversed(self.state.network.nodes):
                if node.name == name:
                    break
                if node.name in rows.coefficients:
                    self._step(node, rows)
        return rows.coefficients.get(name, np.zeros((rows.constant.size, self.state.lower[name].shape[1])))

    def _step(self, node: Node, rows: Rows) -> None:
        value = rows.coefficients.pop(node.name)
        if isinstance(node, Relu):
            self._through_relu(node, value, rows)
        else:
            self._through_affine(node, value, rows)

    def _through_affine(self, node: Affine, value: FloatArray, rows: Rows) -> None:
        rows.constant += value @ node.bias
        rows.error += self._gamma * weighted(np.abs(value), self.state.magnitude[node.name], rows.owner)
        for source, linear_map in zip(node.inputs, node.maps, strict=True):
            self._add(rows, source, linear_map.apply_transpose(value))

    def _through_relu(self, node: Relu, value: FloatArray, rows: Rows) -> None:
        lines = self.relaxations[node.name]
        positive = np.maximum(value, 0.0)
        negative = value - positive
        intercept = weighted(positive, lines.upper_intercept, rows.owner)
        rows.constant += intercept
        positive *= _of_rows(lines.upper_slope, rows.owner)
        negative *= _of_rows(lines.lower_slope, rows.owner)
        positive += negative  # exact: one of the two is zero
        np.abs(positive, out=negative)
        rows.error += self._gamma * intercept
        rows.error += 2.0 * UNIT_ROUNDOFF * weighted(negative, lines.reach, rows.owner)
        self._add(rows, node.input, positive)

    def _add(self, rows: Rows, name: str, value: FloatArray) -> None:
        present = rows.coefficients.get(name)
        if present is not None:
            value = present + value
            rows.error += 2.0 * UNIT_ROUNDOFF * weighted(np.abs(value), self.state.reach(name), rows.owner)
        rows.coefficients[name] = value

    def _concretise(self, rows: Rows) -> UpperFunctions:
        count = rows.constant.size
        slope = rows.coefficients.get(INPUT)
        if slope is None:
            slope = np.zeros((count, self.state.network.input_size))
        underflow = self.state.underflow[0] if rows.owner is None else self.state.underflow[rows.owner]
        size = weighted(np.abs(slope), self.state.reach(INPUT), rows.owner)
        constant = rows.constant + 2.0 * (rows.error + underflow + self._gamma * size)
        value = constant + self.state.inputs.maximize(slope, rows.owner)
        # What is left is the rounding of `maximize`, of the sum before and of this one.
        value += 8.0 * self._gamma * size + 2.0 * UNIT_ROUNDOFF * (np.abs(constant) + np.abs(value))
        return UpperFunctions(slope, sound_upper(constant), sound_upper(value))


def _of_rows(values: FloatArray, owner: IntArray | None) -> FloatArray:
    """Return a (B, size) array row by row, (p, size), or (1, size) where all rows share it."""
    return values if owner is None else values[owner]
