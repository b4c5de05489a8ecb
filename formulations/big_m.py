r"""Big-M. For ``l < 0 < u``: ``y - s = W x + b``, ``0 <= s <= -l (1 - z)``, ``0 <= y <= u z``, z binary.

y and s are the positive and the negative part of the pre-activation a. The dense row is written once a neuron and needs
no column for a: of three ways of writing it, this one is solved fastest (``benchmarks/affine_row``). With ``s = y - a``
it is the usual ``y >= a``, ``y <= a - l (1 - z)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import VANISHED, FloatArray, IntArray, MilpBuilder
from formulations.phase_rows import add_output_and_phase, add_parts, negative_part


@dataclass(frozen=True, slots=True)
class BigM(Formulation):
    """The usual formulation, with each neuron's own bounds as coefficients (Tjeng, Xiao, Tedrake, arXiv 1711.07356)."""

    name: ClassVar[str] = "big-m"
    exact: ClassVar[bool] = True

    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        lower, upper, index, name = layer.lower, layer.upper, layer.index, layer.name
        y, z = add_output_and_phase(builder, layer)
        s = add_parts(builder, layer, inputs, y)
        builder.add_rows((s, 1.0), (z, -lower), upper=-lower, name=f"{name}.on", index=index)
        builder.add_rows((y, 1.0), (z, -upper), upper=0.0, name=f"{name}.off", index=index)
        return ReluColumns(output=y, binary=z, preactivation=np.full(layer.neurons, VANISHED), auxiliary=s)

    def _auxiliary_values(self, layer: ReluLayer, input_values: FloatArray) -> FloatArray:
        return negative_part(layer, input_values)
