r"""What every formulation of a ReLU layer has in common.

A layer is ``y = max(0, W x + b)`` with known bounds on its inputs and on its pre-activations ``a = W x + b``.
Stable neurons need no formulation: where ``l >= 0`` the neuron is its affine row, where ``u <= 0`` it vanishes.
Only the unstable ones (``l < 0 < u``) are written by the concrete class, one file each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy import sparse

from formulations.errors import FormulationError, InconsistentBoundsError, UnboundedNeuronError
from formulations.milp import VANISHED, BoolArray, FloatArray, IntArray, MilpBuilder, Term
from formulations.outward import outward


@dataclass(frozen=True, slots=True)
class ReluLayer:
    """One ReLU layer ``y = max(0, weight @ x + bias)``.

    Attributes
    ----------
    name : prefix of the layer's columns and rows, e.g. ``"layer3.relu"``.
    weight : (neurons, inputs) CSR, float64, no stored zeros needed (zeros write nothing).
    bias : (neurons,).
    input_lower, input_upper : (inputs,) bounds of x.
    lower, upper : (neurons,) bounds of the pre-activation.
    index : (neurons,) numbers used in names (the neuron's position in its full layer).
    """

    name: str
    weight: sparse.csr_array
    bias: FloatArray
    input_lower: FloatArray
    input_upper: FloatArray
    lower: FloatArray
    upper: FloatArray
    index: IntArray

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return self.bias.size

    @property
    def active(self) -> BoolArray:
        """Neurons whose pre-activation is never negative (and not identically at most zero)."""
        return (self.lower >= 0.0) & (self.upper > 0.0)

    @property
    def inactive(self) -> BoolArray:
        """Neurons whose pre-activation is never positive."""
        return self.upper <= 0.0

    @property
    def unstable(self) -> BoolArray:
        """Neurons that can take either phase."""
        return (self.lower < 0.0) & (self.upper > 0.0)

    def take(self, rows: BoolArray | IntArray) -> ReluLayer:
        """Return the layer restricted to some of its neurons."""
        return replace(
            self,
            weight=self.weight[rows],
            bias=self.bias[rows],
            lower=self.lower[rows],
            upper=self.upper[rows],
            index=self.index[rows],
        )

    def rounded(self) -> ReluLayer:
        """Return the layer with bounds that are fit to be coefficients, see `formulations.outward`."""
        lower, upper = outward(self.lower, self.upper)
        return replace(self, lower=lower, upper=upper)

    def preactivation(self, inputs: FloatArray) -> FloatArray:
        """Return ``weight @ inputs + bias``."""
        return self.weight @ inputs + self.bias


@dataclass(frozen=True, slots=True)
class ReluColumns:
    """Where each neuron of a layer sits in the model; `VANISHED` (-1) where it has no such column.

    Attributes
    ----------
    output : (neurons,) column of y; `VANISHED` means y is identically zero.
    binary : (neurons,) column of the phase binary z (1 = active).
    preactivation : (neurons,) column of a = W x + b where the form has one.
    auxiliary : columns that belong to the formulation alone, in the order `Formulation.complete` fills them.
    """

    output: IntArray
    binary: IntArray
    preactivation: IntArray
    auxiliary: IntArray

    @staticmethod
    def vanished(neurons: int) -> ReluColumns:
        """Return the columns of a layer of which nothing is written yet."""
        empty = np.full(neurons, VANISHED)
        return ReluColumns(empty.copy(), empty.copy(), empty.copy(), np.empty(0, dtype=np.int64))


class Formulation(ABC):
    """A way of writing ReLU layers as rows; concrete classes are frozen dataclasses with their parameters as fields."""

    #: Name used on the command line, e.g. ``"big-m"``.
    name: ClassVar[str]
    #: True when the feasible set is the graph of ReLU, False for a relaxation.
    exact: ClassVar[bool]
    #: Row kinds beyond linear rows that a solver must take: subset of {"sos1", "indicator"}.
    requires: ClassVar[frozenset[str]] = frozenset()
    #: Whether finite pre-activation bounds are needed for unstable neurons.
    needs_finite_bounds: ClassVar[bool] = True

    def encode(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        """Write `layer` on the columns `inputs` (`VANISHED` entries are identically zero) and return where neurons sit.

        Raises
        ------
        UnboundedNeuronError
            An unstable neuron has an infinite bound that this formulation needs.
        InconsistentBoundsError
            A lower bound exceeds its upper bound, or a bound is NaN.
        """
        self._check(layer)
        columns = ReluColumns.vanished(layer.neurons)
        active = np.flatnonzero(layer.active)
        if active.size:
            columns.output[active] = _encode_active(builder, layer.take(active), inputs)
        unstable = np.flatnonzero(layer.unstable)
        if not unstable.size:
            return columns
        written = self._encode_unstable(builder, layer.take(unstable).rounded(), inputs)
        columns.output[unstable] = written.output
        columns.binary[unstable] = written.binary
        columns.preactivation[unstable] = written.preactivation
        return replace(columns, auxiliary=written.auxiliary)

    def complete(self, layer: ReluLayer, columns: ReluColumns, input_values: FloatArray) -> tuple[IntArray, FloatArray]:
        """Return (columns, values) of every column this layer owns, for a start at the layer input `input_values`."""
        preactivation = layer.preactivation(input_values)
        pairs = [
            (columns.output, np.maximum(preactivation, 0.0)),
            (columns.binary, (preactivation > 0.0).astype(np.float64)),
            (columns.preactivation, preactivation),
        ]
        parts = [(where[where != VANISHED], values[where != VANISHED]) for where, values in pairs]
        if columns.auxiliary.size:
            unstable = np.flatnonzero(layer.unstable)
            auxiliary = self._auxiliary_values(layer.take(unstable).rounded(), input_values)
            parts.append((columns.auxiliary, auxiliary))
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    @abstractmethod
    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        """Write a layer whose neurons are all unstable."""

    def _auxiliary_values(self, layer: ReluLayer, input_values: FloatArray) -> FloatArray:
        """Return the values of `ReluColumns.auxiliary` at a layer input; only forms with auxiliary columns have any."""
        raise FormulationError(f"{self.name} has no auxiliary columns")

    def _check(self, layer: ReluLayer) -> None:
        bad = ~(layer.lower <= layer.upper)
        if bad.any():
            raise InconsistentBoundsError(_describe(layer, bad, "a lower bound must not exceed its upper bound"))
        if self.needs_finite_bounds:
            open_ended = layer.unstable & ~(np.isfinite(layer.lower) & np.isfinite(layer.upper))
            if open_ended.any():
                remedy = f"{self.name} needs finite ones. Bound the inputs, or use the indicator or sos1 formulation"
                raise UnboundedNeuronError(_describe(layer, open_ended, remedy))


def _describe(layer: ReluLayer, where: BoolArray, remedy: str) -> str:
    k = int(np.flatnonzero(where)[0])
    return f"{layer.name}.{layer.index[k]} has bounds [{layer.lower[k]:g}, {layer.upper[k]:g}]; {remedy}"


def add_affine_rows(builder: MilpBuilder, layer: ReluLayer, inputs: IntArray, *value: Term) -> None:
    """Write ``value = W x + b``, `value` being the sum of terms as in `MilpBuilder.add_rows`."""
    builder.add_rows(
        *value,
        (inputs, -layer.weight),
        lower=layer.bias,
        upper=layer.bias,
        name=f"{layer.name}.affine",
        index=layer.index,
    )


def _encode_active(builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> IntArray:
    """Write ``y = W x + b`` for neurons that are always active."""
    y = builder.add_columns(
        layer.neurons, lower=np.maximum(layer.lower, 0.0), upper=layer.upper, name=layer.name, index=layer.index
    )
    add_affine_rows(builder, layer, inputs, (y, 1.0))
    return y
