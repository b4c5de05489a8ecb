r"""Big-M. For ``l < 0 < u`` with ``a = W x + b``: ``y >= a``, ``y <= a - l (1 - z)``, ``0 <= y <= u z``, z binary.

The affine row is written once a neuron, through a column for a.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import IntArray, MilpBuilder


@dataclass(frozen=True, slots=True)
class BigM(Formulation):
    """The usual formulation, with each neuron's own bounds as coefficients (Tjeng, Xiao, Tedrake, arXiv 1711.07356)."""

    name: ClassVar[str] = "big-m"
    exact: ClassVar[bool] = True

    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        lower, upper, index, name = layer.lower, layer.upper, layer.index, layer.name
        a = builder.add_columns(layer.neurons, lower=lower, upper=upper, name=f"{name}.a", index=index)
        y = builder.add_columns(layer.neurons, lower=0.0, upper=upper, name=name, index=index)
        z = builder.add_columns(layer.neurons, upper=1.0, integral=True, name=f"{name}.z", index=index)
        builder.add_rows(
            (a, 1.0), (inputs, -layer.weight), lower=layer.bias, upper=layer.bias, name=f"{name}.affine", index=index
        )
        builder.add_rows((y, 1.0), (a, -1.0), lower=0.0, name=f"{name}.above", index=index)
        builder.add_rows((y, 1.0), (a, -1.0), (z, -lower), upper=-lower, name=f"{name}.below", index=index)
        builder.add_rows((y, 1.0), (z, -upper), upper=0.0, name=f"{name}.off", index=index)
        return ReluColumns(output=y, binary=z, preactivation=a, auxiliary=np.empty(0, dtype=np.int64))
