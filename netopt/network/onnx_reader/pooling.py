"""Average and maximum pools, and their global forms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netopt.network.composition import weighted_sums
from netopt.network.maximum import maximum_of
from netopt.network.onnx_reader.call import Call, LoweringFunction, Tensor, Value
from netopt.network.onnx_reader.window import Window, read_window


def average_pool(call: Call) -> Sequence[Value]:
    """Lower an average pool; padding counts only where `count_include_pad` says so, never beyond it."""
    x = call.tensor()
    window = _window(call, x)
    index, padded = window.table(int(np.prod(x.shape[:2])))
    counted = padded if call.attribute("count_include_pad", 0) else index >= 0
    weights = (index >= 0) / counted.sum(axis=1, keepdims=True)
    return [
        Tensor((*x.shape[:2], *window.out), call.lowering.apply(weighted_sums(index, weights, x.value.size), x.value))
    ]


def max_pool(call: Call) -> Sequence[Value]:
    """Lower a maximum pool as a tree of maxima of two."""
    if len(call.node.output) > 1 and call.node.output[1]:
        raise call.refuse("returns the indices of the maxima", "leave that output out")
    x = call.tensor()
    window = _window(call, x)
    index, _ = window.table(int(np.prod(x.shape[:2])))
    return [Tensor((*x.shape[:2], *window.out), maximum_of(call.lowering, x.value, index))]


def global_average_pool(call: Call) -> Sequence[Value]:
    """Lower the mean of each channel."""
    x = call.tensor()
    index = x.index.reshape(x.shape[0] * x.shape[1], -1)
    weights = np.full(index.shape, 1.0 / index.shape[1])
    value = call.lowering.apply(weighted_sums(index, weights, x.value.size), x.value)
    return [Tensor((*x.shape[:2], *(1,) * (len(x.shape) - 2)), value)]


def global_max_pool(call: Call) -> Sequence[Value]:
    """Lower the maximum of each channel."""
    x = call.tensor()
    index = x.index.reshape(x.shape[0] * x.shape[1], -1)
    return [Tensor((*x.shape[:2], *(1,) * (len(x.shape) - 2)), maximum_of(call.lowering, x.value, index))]


def _window(call: Call, x: Tensor) -> Window:
    if len(x.shape) < 3:
        raise call.malformed(f"pools a tensor of shape {x.shape}")
    kernel = tuple(int(k) for k in call.attribute("kernel_shape", ()))
    if len(kernel) != len(x.shape) - 2:
        raise call.malformed(f"has a kernel of shape {kernel} on a tensor of shape {x.shape}")
    window = read_window(call, x.shape[2:], kernel)
    for axis, length in enumerate(window.image):
        places = window.positions(axis)
        if not ((places >= 0) & (places < length)).any(axis=1).all():
            raise call.refuse("has windows that see nothing but padding", "reduce its pads")
    return window


LOWERINGS: dict[str, LoweringFunction] = {
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "MaxPool": max_pool,
    "GlobalMaxPool": global_max_pool,
}
