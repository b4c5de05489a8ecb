"""Elementwise Max and Min of any number of tensors, constants among them."""

from __future__ import annotations

from collections.abc import Sequence

from netopt.network.lowering import Expression
from netopt.network.maximum import maximum_of_two
from netopt.network.onnx_reader.call import Call, LoweringFunction, Tensor, Value


def maximum(call: Call) -> Sequence[Value]:
    """Lower the elementwise maximum."""
    return [_fold(call, 1.0)]


def minimum(call: Call) -> Sequence[Value]:
    """Lower the elementwise minimum: minus the maximum of minus the tensors."""
    return [_fold(call, -1.0)]


def _fold(call: Call, sign: float) -> Tensor:
    lowering = call.lowering
    tensors = [call.tensor(k) for k in range(len(call.inputs))]
    shape = call.common_shape(*tensors)
    values: list[Expression] = [lowering.scale(call.broadcast(x, shape).value, sign) for x in tensors]
    while len(values) > 1:
        pairs = zip(values[::2], values[1::2], strict=False)
        odd = values[len(values) // 2 * 2 :]
        values = [*(maximum_of_two(lowering, a, b) for a, b in pairs), *odd]
    return Tensor(shape, lowering.scale(values[0], sign))


LOWERINGS: dict[str, LoweringFunction] = {"Max": maximum, "Min": minimum}
