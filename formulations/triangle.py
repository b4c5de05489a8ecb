r"""Triangle. For ``l < 0 < u`` with ``a = W x + b``: ``y >= 0``, ``y >= a``, ``y <= u (a - l) / (u - l)``; no binary.

It is the convex hull of the graph of ReLU over ``[l, u]``. Where a bound is infinite the chord becomes its limit:
``y <= a - l`` for ``u = inf``, ``y <= u`` for ``l = -inf``, nothing for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.milp import VANISHED, FloatArray, IntArray, MilpBuilder
from formulations.phase_rows import add_affine


@dataclass(frozen=True, slots=True)
class Triangle(Formulation):
    """The linear relaxation of each neuron alone (Ehlers, arXiv 1705.01320, section 3)."""

    name: ClassVar[str] = "triangle"
    exact: ClassVar[bool] = False
    needs_finite_bounds: ClassVar[bool] = False

    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        lower, upper, index, name = layer.lower, layer.upper, layer.index, layer.name
        a = add_affine(builder, layer, inputs)
        y = builder.add_columns(layer.neurons, lower=0.0, upper=upper, name=name, index=index)
        builder.add_rows((y, 1.0), (a, -1.0), lower=0.0, name=f"{name}.above", index=index)
        slope, constant = _chord(lower, upper)
        builder.add_rows((y, 1.0), (a, -slope), upper=constant, name=f"{name}.chord", index=index)
        binary = np.full(layer.neurons, VANISHED)
        return ReluColumns(output=y, binary=binary, preactivation=a, auxiliary=np.empty(0, dtype=np.int64))


def _chord(lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return slope and constant of the line through (l, 0) and (u, u), or its limit where a bound is infinite."""
    slope = np.where(np.isinf(lower), 0.0, 1.0)
    finite = np.isfinite(lower) & np.isfinite(upper)
    slope[finite] = upper[finite] / (upper[finite] - lower[finite])
    constant = upper.copy()
    closed = np.isfinite(lower)
    constant[closed] = -slope[closed] * lower[closed]
    return slope, constant
