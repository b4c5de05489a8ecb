"""Rows that several formulations share: the affine row, and the rows that tie a neuron or a part of it to its phase."""

from __future__ import annotations

import numpy as np

from formulations.errors import UnboundedNeuronError
from formulations.formulation import ReluLayer, add_affine_rows
from formulations.milp import FloatArray, IntArray, MilpBuilder
from formulations.outward import outward


def add_affine(builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> IntArray:
    """Add columns ``a`` within the pre-activation bounds and the rows ``a = W x + b``; return the columns."""
    a = builder.add_columns(
        layer.neurons, lower=layer.lower, upper=layer.upper, name=f"{layer.name}.a", index=layer.index
    )
    add_affine_rows(builder, layer, inputs, (a, 1.0))
    return a


def add_output_and_phase(builder: MilpBuilder, layer: ReluLayer) -> tuple[IntArray, IntArray]:
    """Add columns ``0 <= y <= u`` and the phase binaries z (1 = active); return both."""
    y = builder.add_columns(layer.neurons, lower=0.0, upper=layer.upper, name=layer.name, index=layer.index)
    z = builder.add_columns(layer.neurons, upper=1.0, integral=True, name=f"{layer.name}.z", index=layer.index)
    return y, z


def add_parts(builder: MilpBuilder, layer: ReluLayer, inputs: IntArray, y: IntArray) -> IntArray:
    """Add columns ``0 <= s <= -l`` and the rows ``y - s = W x + b``; return the columns."""
    s = builder.add_columns(layer.neurons, lower=0.0, upper=-layer.lower, name=f"{layer.name}.s", index=layer.index)
    add_affine_rows(builder, layer, inputs, (y, 1.0), (s, -1.0))
    return s


def negative_part(layer: ReluLayer, input_values: FloatArray) -> FloatArray:
    """Return s at a layer input."""
    part: FloatArray = np.maximum(-layer.preactivation(input_values), 0.0)
    return part


def add_phase_rows(builder: MilpBuilder, layer: ReluLayer, a: IntArray, y: IntArray, z: IntArray) -> None:
    """Add ``y >= a``, ``y <= a - l (1 - z)`` and ``y <= u z``: big-M with each neuron's own bounds."""
    lower, upper, index, name = layer.lower, layer.upper, layer.index, layer.name
    builder.add_rows((y, 1.0), (a, -1.0), lower=0.0, name=f"{name}.above", index=index)
    builder.add_rows((y, 1.0), (a, -1.0), (z, -lower), upper=-lower, name=f"{name}.below", index=index)
    builder.add_rows((y, 1.0), (z, -upper), upper=0.0, name=f"{name}.off", index=index)


def add_active_part(
    builder: MilpBuilder,
    whole: IntArray,
    phase: IntArray,
    lower: FloatArray,
    upper: FloatArray,
    *,
    name: str,
    index: IntArray,
) -> IntArray:
    r"""Add the active part p of quantities t and tie both parts to the phase; return the columns of p.

    For ``t in [l, u]``: ``l z <= p <= u z`` and ``l (1 - z) <= t - p <= u (1 - z)``, so that p is t in the active phase
    and zero in the inactive one. A bound that is zero is p's own, and its row is left out.
    """
    lower, upper = outward(lower, upper)
    part = builder.add_columns(
        whole.size, lower=np.minimum(lower, 0.0), upper=np.maximum(upper, 0.0), name=name, index=index
    )
    over, under = np.flatnonzero(upper != 0.0), np.flatnonzero(lower != 0.0)
    builder.add_rows(
        (part[over], 1.0), (phase[over], -upper[over]), upper=0.0, name=f"{name}.on_upper", index=index[over]
    )
    builder.add_rows(
        (part[under], 1.0), (phase[under], -lower[under]), lower=0.0, name=f"{name}.on_lower", index=index[under]
    )
    builder.add_rows((whole, 1.0), (part, -1.0), (phase, upper), upper=upper, name=f"{name}.off_upper", index=index)
    builder.add_rows((whole, 1.0), (part, -1.0), (phase, lower), lower=lower, name=f"{name}.off_lower", index=index)
    return part


def check_input_bounds(layer: ReluLayer, form: str) -> None:
    """Raise `UnboundedNeuronError` when an input that carries weight has an infinite bound."""
    used = np.zeros(layer.input_lower.size, dtype=bool)
    used[layer.weight.indices[layer.weight.data != 0.0]] = True
    bad = np.flatnonzero(used & ~(np.isfinite(layer.input_lower) & np.isfinite(layer.input_upper)))
    if bad.size:
        k = int(bad[0])
        raise UnboundedNeuronError(
            f"input {k} of {layer.name} has bounds [{layer.input_lower[k]:g}, {layer.input_upper[k]:g}]; {form} needs"
            " finite ones. Bound the inputs, or use the big-m, indicator or sos1 formulation"
        )
