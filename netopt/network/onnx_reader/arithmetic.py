"""Elementwise arithmetic: Add, Sub, Sum, Mean, Neg, and Mul, Div by constants; batch normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from netopt.arrays import FloatArray
from netopt.network.onnx_reader.call import Call, LoweringFunction, Tensor, Value


def add(call: Call) -> Sequence[Value]:
    """Lower ``A + B``, of which both may depend on the input: a residual connection."""
    return [_sum(call, call.tensor(0), call.tensor(1))]


def subtract(call: Call) -> Sequence[Value]:
    """Lower ``A - B``."""
    return [_sum(call, call.tensor(0), _scaled(call, call.tensor(1), np.array(-1.0)))]


def add_all(call: Call) -> Sequence[Value]:
    """Lower the sum of any number of tensors."""
    return [_sum_of_all(call)]


def mean(call: Call) -> Sequence[Value]:
    """Lower the elementwise mean of any number of tensors."""
    return [_scaled(call, _sum_of_all(call), np.array(1.0 / len(call.inputs)))]


def negate(call: Call) -> Sequence[Value]:
    """Lower ``-A``."""
    return [_scaled(call, call.tensor(), np.array(-1.0))]


def multiply(call: Call) -> Sequence[Value]:
    """Lower ``A * B`` of which one is constant."""
    left, right = call.value(0), call.value(1)
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        raise call.refuse(
            "multiplies two tensors that depend on the network's input", "netopt takes products with constants only"
        )
    if isinstance(right, Tensor):
        return [_scaled(call, right, call.constant(0, "factor"))]
    return [_scaled(call, call.tensor(0), right)]


def divide(call: Call) -> Sequence[Value]:
    """Lower ``A / B`` with constant B."""
    divisor = call.constant(1, "divisor").astype(np.float64)
    if (divisor == 0.0).any():
        raise call.malformed("divides by zero")
    return [_scaled(call, call.tensor(0), 1.0 / divisor)]


def batch_normalization(call: Call) -> Sequence[Value]:
    """Lower ``(x - mean) / sqrt(variance + epsilon) * scale + shift``, by channel."""
    if call.attribute("training_mode", 0) or any(call.node.output[1:]):
        raise call.refuse(
            "normalises by the statistics of the batch (training mode)", "export the network in eval mode"
        )
    if not call.attribute("spatial", 1):
        raise call.refuse("normalises every pixel on its own (spatial = 0)", "export with opset 9 or later")
    x = call.tensor()
    if len(x.shape) < 2:
        raise call.malformed(f"normalises a tensor of shape {x.shape}")
    scale, shift, center, variance = (call.constant(k, "normalisation").astype(np.float64) for k in range(1, 5))
    factor = scale / np.sqrt(variance + float(call.attribute("epsilon", 1e-5)))
    shape = (1, -1) + (1,) * (len(x.shape) - 2)
    scaled = _scaled(call, x, factor.reshape(shape))
    return [_sum(call, scaled, _constant(call, (shift - center * factor).reshape(shape)))]


def _constant(call: Call, value: FloatArray) -> Tensor:
    return Tensor(value.shape, call.lowering.constant(value))


def _sum(call: Call, left: Tensor, right: Tensor) -> Tensor:
    shape = call.common_shape(left, right)
    parts = [call.broadcast(left, shape).value, call.broadcast(right, shape).value]
    return Tensor(shape, call.lowering.add(*parts))


def _sum_of_all(call: Call) -> Tensor:
    return reduce(lambda left, right: _sum(call, left, right), (call.tensor(k) for k in range(len(call.inputs))))


def _scaled(call: Call, x: Tensor, factor: FloatArray) -> Tensor:
    shape = np.broadcast_shapes(x.shape, factor.shape) if factor.ndim else x.shape
    wide = call.broadcast(x, shape)
    full = np.broadcast_to(factor.astype(np.float64), shape).ravel()
    return Tensor(shape, call.lowering.scale(wide.value, full))


LOWERINGS: dict[str, LoweringFunction] = {
    "Add": add,
    "Sub": subtract,
    "Sum": add_all,
    "Mean": mean,
    "Neg": negate,
    "Mul": multiply,
    "Div": divide,
    "BatchNormalization": batch_normalization,
}
