"""Activations of one argument, each rewritten exactly as Affine and ReLU."""

from __future__ import annotations

from collections.abc import Sequence

from netopt.network.onnx_reader.call import Call, LoweringFunction, Tensor, Value


def relu(call: Call) -> Sequence[Value]:
    """Lower ``max(0, x)``."""
    x = call.tensor()
    return [Tensor(x.shape, call.lowering.relu(x.value))]


LOWERINGS: dict[str, LoweringFunction] = {"Relu": relu}
