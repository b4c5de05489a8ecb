"""Gradients of a network's outputs with respect to its inputs, in NumPy float64, by the reverse sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.errors import InputError
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu


def value_and_gradient(
    network: Network, x: FloatArray, cotangent: FloatArray | Callable[[FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return the outputs and, for every row, the gradient of ``cotangent @ y`` with respect to x.

    Where a pre-activation is exactly zero the ReLU's derivative is taken as zero.

    Parameters
    ----------
    x : (batch, n) float64.
    cotangent : (batch, m), or a function from the outputs (batch, m) to it.

    Returns
    -------
    y : (batch, m).
    gradient : (batch, n).

    Raises
    ------
    InputError
        `x` or the cotangent has the wrong shape.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.network.build import from_weights
    >>> from netopt.network.gradient import value_and_gradient
    >>> network = from_weights([[[2.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> y, gradient = value_and_gradient(network, np.array([[3.0], [-3.0]]), np.ones((2, 1)))
    >>> gradient.ravel().tolist()
    [2.0, -1.0]
    """
    if x.ndim != 2 or x.shape[1] != network.input_size:
        raise InputError(f"the network takes batches of {network.input_size} inputs, not an array of shape {x.shape}")
    y, active = _forward(network, x)
    weights = cotangent(y) if callable(cotangent) else cotangent
    if weights.shape != y.shape:
        raise InputError(f"the outputs have the shape {y.shape} and the cotangent {weights.shape}; give one an output")
    return y, pull_back(network, {network.output: weights}, active)


def _forward(network: Network, x: FloatArray) -> tuple[FloatArray, dict[str, BoolArray]]:
    """Return the output and which neurons of each Relu are active."""
    last_reader = {source: node.name for node in network.nodes for source in node.inputs}
    values: dict[str, FloatArray] = {INPUT: x}
    active: dict[str, BoolArray] = {}
    for node in network.nodes:
        if isinstance(node, Relu):
            value = np.maximum(values[node.input], 0.0)
            active[node.name] = value > 0.0
        else:
            value = node.value(values, x.shape[0])
        values[node.name] = value
        if node.name == network.output:
            break
        for source in node.inputs:
            if last_reader[source] == node.name:
                values.pop(source, None)
    return values[network.output], active


def pull_back(
    network: Network,
    coefficients: dict[str, FloatArray],
    active: Mapping[str, BoolArray],
    met: Callable[[Affine, FloatArray], None] = lambda _node, _coefficients: None,
) -> FloatArray:
    """Return the coefficients (rows, n) on the inputs of linear functions of nodes, each ReLU fixed to a phase.

    Parameters
    ----------
    coefficients : name of a node -> (rows, size); at least one, used up.
    active : name of a Relu -> (size,) or (rows, size).
    met : called with every Affine on the way and the functions' coefficients on it, of which it may take its bias.
    """
    rows = len(next(iter(coefficients.values())))
    for node in reversed(network.nodes):
        own = coefficients.pop(node.name, None)
        if own is None:  # nothing the functions depend on
            continue
        if isinstance(node, Affine):
            met(node, own)
            parts = [
                (source, linear_map.apply_transpose(own))
                for source, linear_map in zip(node.inputs, node.maps, strict=True)
            ]
        else:
            parts = [(node.input, own * active[node.name])]
        for source, part in parts:
            coefficients[source] = coefficients[source] + part if source in coefficients else part
    return coefficients.get(INPUT, np.zeros((rows, network.input_size)))
