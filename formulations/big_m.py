r"""Big-M. For ``l < 0 < u`` with ``a = W x + b``: ``y >= a``, ``y <= a - l (1 - z)``, ``0 <= y <= u z``, z binary.

The affine row is written once a neuron, through a column for a.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import IntArray, MilpBuilder
from formulations.phase_rows import add_affine, add_output_and_phase, add_phase_rows


@dataclass(frozen=True, slots=True)
class BigM(Formulation):
    """The usual formulation, with each neuron's own bounds as coefficients (Tjeng, Xiao, Tedrake, arXiv 1711.07356)."""

    name: ClassVar[str] = "big-m"
    exact: ClassVar[bool] = True

    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        a = add_affine(builder, layer, inputs)
        y, z = add_output_and_phase(builder, layer)
        add_phase_rows(builder, layer, a, y, z)
        return ReluColumns(output=y, binary=z, preactivation=a, auxiliary=np.empty(0, dtype=np.int64))
