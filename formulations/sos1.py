r"""SOS1. ``y - s = W x + b`` with ``y, s >= 0``, of which at most one is non-zero.

y is the positive and s the negative part of the pre-activation. There is no binary, and bounds may be infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import VANISHED, FloatArray, IntArray, MilpBuilder


@dataclass(frozen=True, slots=True)
class Sos1(Formulation):
    """Complementary parts, for solvers that branch on SOS1 sets (Gurobi, SCIP, CPLEX, CBC)."""

    name: ClassVar[str] = "sos1"
    exact: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset({"sos1"})
    needs_finite_bounds: ClassVar[bool] = False

    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        index, name = layer.index, layer.name
        y = builder.add_columns(layer.neurons, lower=0.0, upper=layer.upper, name=name, index=index)
        s = builder.add_columns(layer.neurons, lower=0.0, upper=-layer.lower, name=f"{name}.s", index=index)
        builder.add_rows(
            (y, 1.0),
            (s, -1.0),
            (inputs, -layer.weight),
            lower=layer.bias,
            upper=layer.bias,
            name=f"{name}.affine",
            index=index,
        )
        builder.add_sos1(np.column_stack([y, s]))
        absent = np.full(layer.neurons, VANISHED)
        return ReluColumns(output=y, binary=absent, preactivation=absent, auxiliary=s)

    def _auxiliary_values(self, layer: ReluLayer, input_values: FloatArray) -> FloatArray:
        negative_part: FloatArray = np.maximum(-layer.preactivation(input_values), 0.0)
        return negative_part
