r"""SOS1. ``y - s = W x + b`` with ``y, s >= 0``, of which at most one is non-zero.

y is the positive and s the negative part of the pre-activation. There is no binary, and bounds may be infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import VANISHED, FloatArray, IntArray, MilpBuilder
from formulations.phase_rows import add_parts, negative_part


@dataclass(frozen=True, slots=True)
class Sos1(Formulation):
    """Complementary parts, for solvers that branch on SOS1 sets (Gurobi, SCIP, CPLEX, CBC)."""

    name: ClassVar[str] = "sos1"
    exact: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset({"sos1"})
    needs_finite_bounds: ClassVar[bool] = False

    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        y = builder.add_columns(layer.neurons, lower=0.0, upper=layer.upper, name=layer.name, index=layer.index)
        s = add_parts(builder, layer, inputs, y)
        builder.add_sos1(np.column_stack([y, s]))
        absent = np.full(layer.neurons, VANISHED)
        return ReluColumns(output=y, binary=absent, preactivation=absent, auxiliary=s)

    def _auxiliary_values(self, layer: ReluLayer, input_values: FloatArray) -> FloatArray:
        return negative_part(layer, input_values)
