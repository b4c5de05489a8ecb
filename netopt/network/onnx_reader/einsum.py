"""Einsum of one tensor and any number of constants: each term of the sum is an entry of a sparse matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from netopt.arrays import sparse
from netopt.network.onnx_reader.call import Call, LoweringFunction, Tensor, Value
from netopt.network.sparse import Sparse


def einsum(call: Call) -> Sequence[Value]:
    """Lower a sum of products over labelled axes, at most one factor of which depends on the network's input."""
    equation = str(call.attribute("equation", "")).replace(" ", "")
    operands, arrow, output = equation.partition("->")
    if "." in equation or not arrow:
        raise call.refuse(f"has the equation {equation!r}", "name every axis, and those of the result behind '->'")
    labels = operands.split(",")
    sizes = _sizes(call, labels, equation)
    if set(output) - set(sizes) or len(set(output)) != len(output):
        raise call.malformed(f"has the equation {equation!r}")
    tensors = [k for k in range(len(labels)) if isinstance(call.value(k), Tensor)]
    if len(tensors) != 1:
        raise call.refuse("multiplies two tensors that depend on the network's input", "keep one of them constant")
    x = call.tensor(tensors[0])
    axes = {label: k for k, label in enumerate(sizes)}
    full, out = tuple(sizes.values()), tuple(sizes[label] for label in output)
    positions = np.indices(full, sparse=True)
    source = x.index[tuple(positions[axes[label]] for label in labels[tensors[0]])]
    size = math.prod(out)
    target = np.arange(size).reshape(out)[tuple(positions[axes[label]] for label in output)]
    weight = np.ones((1,) * len(full))
    for k, own in enumerate(labels):
        if k != tensors[0]:
            factor = call.constant(k, "factor").astype(np.float64)
            weight = weight * factor[tuple(positions[axes[label]] for label in own)]
    entries, rows, columns = (np.broadcast_to(part, full).ravel() for part in (weight, target, source))
    kept = entries != 0.0
    terms = sparse.coo_array((entries[kept], (rows[kept], columns[kept])), shape=(size, x.value.size))
    return [Tensor(out, call.lowering.apply(Sparse(sparse.csr_array(terms)), x.value))]


def _sizes(call: Call, labels: Sequence[str], equation: str) -> dict[str, int]:
    """Return the length of each labelled axis."""
    if len(labels) != len(call.inputs):
        raise call.malformed(f"has {len(call.inputs)} inputs and the equation {equation!r}")
    sizes: dict[str, int] = {}
    for k, own in enumerate(labels):
        shape = call.value(k).shape
        if len(shape) != len(own):
            raise call.malformed(f"has the equation {equation!r} for an input of shape {shape}")
        for label, length in zip(own, shape, strict=True):
            if sizes.setdefault(label, length) != length:
                raise call.malformed(f"has the equation {equation!r}, of which axis {label!r} has two lengths")
    return sizes


LOWERINGS: dict[str, LoweringFunction] = {"Einsum": einsum}
