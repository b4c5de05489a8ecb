r"""Indicator. With ``a = W x + b``: ``y >= a``, ``y >= 0``, ``z = 1 => y <= a``, ``z = 0 => y <= 0``, z binary.

The solver branches on z and derives its own coefficients, so that bounds may be infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import IntArray, MilpBuilder
from formulations.phase_rows import add_affine, add_output_and_phase


@dataclass(frozen=True, slots=True)
class Indicator(Formulation):
    """Logical rows, switched by the phase binary, for solvers that take them (Gurobi, SCIP, CPLEX)."""

    name: ClassVar[str] = "indicator"
    exact: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset({"indicator"})
    needs_finite_bounds: ClassVar[bool] = False

    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        a = add_affine(builder, layer, inputs)
        y, z = add_output_and_phase(builder, layer)
        builder.add_rows((y, 1.0), (a, -1.0), lower=0.0, name=f"{layer.name}.above", index=layer.index)
        builder.add_indicators(z, True, (y, 1.0), (a, -1.0), upper=0.0)
        builder.add_indicators(z, False, (y, 1.0), upper=0.0)
        return ReluColumns(output=y, binary=z, preactivation=a, auxiliary=np.empty(0, dtype=np.int64))
