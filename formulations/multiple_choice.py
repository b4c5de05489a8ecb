r"""Multiple choice (extended disjunctive form): the convex hull of each neuron over the box of its inputs.

A neuron with ``l < 0 < u`` splits its inputs into an active part and an inactive part, ``x = p + q``. With z binary:

.. math::
   L z \le p \le U z, \quad L (1 - z) \le q \le U (1 - z), \quad y = w p + b z,

   0 \le y \le u z, \quad l (1 - z) \le w q + b (1 - z) \le 0.

The pre-activation bounds on both sides are what keeps it at least as strong as a big-M on tightened bounds. The
formulation is ideal: the vertices of its relaxation have an integral z. q is ``x - p`` and gets no column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import FloatArray, IntArray, MilpBuilder
from formulations.phase_rows import (
    add_active_part,
    add_affine,
    add_output_and_phase,
    add_phase_rows,
    check_input_bounds,
)
from formulations.split_weight import split_weight


@dataclass(frozen=True, slots=True)
class MultipleChoice(Formulation):
    """Balas' union of the two phases, with a copy of each input (Anderson et al., arXiv 1811.01988)."""

    name: ClassVar[str] = "multiple-choice"
    exact: ClassVar[bool] = True

    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        check_input_bounds(layer, self.name)
        split = split_weight(layer)
        a = add_affine(builder, layer, inputs)
        y, z = add_output_and_phase(builder, layer)
        add_phase_rows(builder, layer, a, y, z)
        column = split.columns
        part = add_active_part(
            builder,
            inputs[column],
            z[split.rows],
            layer.input_lower[column],
            layer.input_upper[column],
            name=f"{layer.name}.x",
            index=np.column_stack([layer.index[split.rows], column]),
        )
        weight = sparse.csr_array(
            (split.values, (split.rows, np.arange(column.size))), shape=(layer.neurons, column.size)
        )
        builder.add_rows(
            (y, 1.0),
            (part, -weight),
            (z, -split.bias),
            lower=0.0,
            upper=0.0,
            name=f"{layer.name}.active",
            index=layer.index,
        )
        return ReluColumns(output=y, binary=z, preactivation=a, auxiliary=part)

    def _auxiliary_values(self, layer: ReluLayer, input_values: FloatArray) -> FloatArray:
        split = split_weight(layer)
        active = layer.preactivation(input_values) > 0.0
        values: FloatArray = input_values[split.columns] * active[split.rows]
        return values
