"""A network written into a model: where each neuron sits, and the values of all columns at a point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import VANISHED, MilpBuilder
from netopt.arrays import FloatArray, IntArray
from netopt.network.network import Network
from netopt.network.nodes import Relu
from netopt.specification.domain import Domain


@dataclass(frozen=True, slots=True, eq=False)
class LinearExpression:
    """``matrix @ x[columns] + constant``, a vector of linear expressions over model columns.

    Attributes
    ----------
    columns : (k,) distinct columns, none `VANISHED`.
    matrix : (size, k) CSR.
    constant : (size,).
    lower, upper : (k,) bounds of the columns.
    """

    columns: IntArray
    matrix: sparse.csr_array
    constant: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """A network written into a builder, to which the caller adds rows and an objective before ``builder.build()``.

    Attributes
    ----------
    builder : holds the domain's columns first, then the network's.
    inputs : (n,) input columns.
    layers : name of the Relu -> the rows that were written (inactive neurons left out; `ReluLayer.index` numbers them).
    relus : name of the Relu -> columns of those neurons.
    output : the network's output.
    slacks : name of the Relu -> (size,) columns that stand for the pruned part of its rows, for every Relu that has a
        `Remainder`; `VANISHED` where nothing of the row is pruned.
    """

    builder: MilpBuilder
    network: Network
    domain: Domain
    formulation: Formulation
    inputs: IntArray
    layers: Mapping[str, ReluLayer]
    relus: Mapping[str, ReluColumns]
    output: LinearExpression
    slacks: Mapping[str, IntArray]
    _layer_inputs: Mapping[str, IntArray]
    _affine_columns: Mapping[str, tuple[IntArray, LinearExpression]]

    @property
    def binary_count(self) -> int:
        """Number of neurons that got a binary."""
        return sum(int((columns.binary != VANISHED).sum()) for columns in self.relus.values())

    def start(self, point: FloatArray) -> FloatArray:
        """Return the values of every column written by the encoding at a member of the domain: a full MIP start.

        Columns the caller added later are zero.
        """
        values = np.zeros(self.builder.column_count)
        head = self.domain.complete(point)
        values[: head.size] = head
        for node in self.network.nodes:
            if isinstance(node, Relu):
                if node.name in self._affine_columns:
                    self._fill(values, *self._affine_columns[node.name])
                layer = self.layers[node.name]
                inputs = values[self._layer_inputs[node.name]]
                columns, content = self.formulation.complete(layer, self.relus[node.name], inputs)
                values[columns] = content
            elif node.name in self._affine_columns:
                self._fill(values, *self._affine_columns[node.name])
        return values

    @staticmethod
    def _fill(values: FloatArray, columns: IntArray, expression: LinearExpression) -> None:
        values[columns] = expression.matrix @ values[expression.columns] + expression.constant
