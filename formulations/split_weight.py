"""The entries of a layer's weight that can vary: what the hull forms make parts of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formulations.formulation import ReluLayer
from formulations.milp import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class SplitWeight:
    """``W x + b`` as entries ``values[k] * x[columns[k]]`` of row ``rows[k]``, sorted by row, plus `bias`.

    Zero weights are left out; weights on inputs that are fixed have gone into `bias`.
    """

    rows: IntArray
    columns: IntArray
    values: FloatArray
    bias: FloatArray


def split_weight(layer: ReluLayer) -> SplitWeight:
    """Return the entries of ``layer.weight`` on inputs that are not fixed by their bounds."""
    weight = layer.weight
    rows = np.repeat(np.arange(layer.neurons), np.diff(weight.indptr))
    columns, values = weight.indices.astype(np.int64), weight.data
    fixed = layer.input_lower[columns] == layer.input_upper[columns]
    constant = np.bincount(rows[fixed], values[fixed] * layer.input_lower[columns[fixed]], minlength=layer.neurons)
    kept = ~fixed & (values != 0.0)
    return SplitWeight(rows[kept], columns[kept], values[kept], layer.bias + constant)
