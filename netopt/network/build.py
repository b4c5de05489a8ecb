"""Plain networks from weight matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from netopt.checks import as_numbers, check_kind
from netopt.errors import InputError
from netopt.network.dense import Dense
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Node, Relu


def from_weights(weights: Sequence[ArrayLike], biases: Sequence[ArrayLike]) -> Network:
    """Return the multilayer perceptron ``W_L relu(... relu(W_1 x + b_1) ...) + b_L``.

    Parameters
    ----------
    weights : one (out, in) matrix a layer.
    biases : one (out,) vector a layer.

    Examples
    --------
    >>> from netopt.network.build import from_weights
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> network.forward([-3.0]).tolist()
    [3.0]
    """
    for what, given in (("weights", weights), ("biases", biases)):
        check_kind(given, Sequence, what, "give a list with one array a layer")
    if len(weights) != len(biases) or not weights:
        raise InputError(
            f"a network needs one bias a weight matrix: {len(weights)} weights, {len(biases)} biases were given"
        )
    nodes: list[Node] = []
    source = INPUT
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True), start=1):
        matrix = as_numbers(weight, f"weight matrix {k}").copy()
        vector = as_numbers(bias, f"bias {k}").copy()
        if matrix.ndim != 2 or vector.shape != matrix.shape[:1]:
            raise InputError(
                f"layer {k} has a weight of shape {matrix.shape} and a bias of shape {vector.shape}; give (out, in) and"
                " (out,)"
            )
        if not (np.isfinite(matrix).all() and np.isfinite(vector).all()):
            raise InputError(f"layer {k} holds weights that are nan or infinite; train or export the network again")
        last = k == len(weights)
        affine = Affine("output.affine" if last else f"layer{k}.affine", (source,), (Dense(matrix),), vector)
        nodes.append(affine)
        if not last:
            source = f"layer{k}.relu"
            nodes.append(Relu(source, affine.name, affine.size))
    inputs = (TensorSpec("X", (1, np.shape(weights[0])[1])),)
    outputs = (TensorSpec("Y", (1, np.shape(weights[-1])[0])),)
    return Network(tuple(nodes), nodes[-1].name, inputs, outputs)
