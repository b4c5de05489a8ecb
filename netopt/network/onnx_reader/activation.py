"""Activations of one argument, each rewritten exactly as Affine and ReLU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netopt.network.onnx_reader.call import Call, LoweringFunction, Tensor, Value


def relu(call: Call) -> Sequence[Value]:
    """Lower ``max(0, x)``."""
    x = call.tensor()
    return [Tensor(x.shape, call.lowering.relu(x.value))]


def leaky_relu(call: Call) -> Sequence[Value]:
    """Lower ``x`` above zero and ``alpha x`` below."""
    x = call.tensor()
    return [Tensor(x.shape, call.lowering.leaky_relu(x.value, float(call.attribute("alpha", 0.01))))]


def parametric_relu(call: Call) -> Sequence[Value]:
    """Lower ``x`` above zero and ``slope x`` below."""
    x = call.tensor()
    slope = call.constant(1, "slope").astype(np.float64)
    if call.common_shape(x, slope) != x.shape:
        raise call.malformed(f"has a slope of shape {slope.shape} on a tensor of shape {x.shape}")
    return [Tensor(x.shape, call.lowering.leaky_relu(x.value, np.broadcast_to(slope, x.shape).ravel()))]


def absolute(call: Call) -> Sequence[Value]:
    """Lower ``|x|``."""
    x = call.tensor()
    return [Tensor(x.shape, call.lowering.leaky_relu(x.value, -1.0))]


def clip(call: Call) -> Sequence[Value]:
    """Lower ``min(max(x, low), high)``, with the limits as attributes (before opset 11) or inputs."""
    x = call.tensor()
    if call.opset < 11:
        limits = [call.attribute("min", -np.inf), call.attribute("max", np.inf)]
    else:
        given = [call.optional_constant(k, "limit") for k in (1, 2)]
        limits = [
            default if limit is None else limit.reshape(-1)[0]
            for limit, default in zip(given, (-np.inf, np.inf), strict=True)
        ]
    return [Tensor(x.shape, call.lowering.clip(x.value, float(limits[0]), float(limits[1])))]


def hard_sigmoid(call: Call) -> Sequence[Value]:
    """Lower ``min(max(alpha x + beta, 0), 1)``."""
    x = call.tensor()
    lowering = call.lowering
    line = lowering.shift(
        lowering.scale(x.value, float(call.attribute("alpha", 0.2))), float(call.attribute("beta", 0.5))
    )
    return [Tensor(x.shape, lowering.clip(line, 0.0, 1.0))]


LOWERINGS: dict[str, LoweringFunction] = {
    "Relu": relu,
    "LeakyRelu": leaky_relu,
    "PRelu": parametric_relu,
    "Abs": absolute,
    "Clip": clip,
    "HardSigmoid": hard_sigmoid,
}
