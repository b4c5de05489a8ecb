"""Operators that do nothing in inference: Identity, Dropout, and Cast between floating-point types."""

from __future__ import annotations

from collections.abc import Sequence

from netopt.network.onnx_reader.call import Call, LoweringFunction, Value
from netopt.network.onnx_reader.messages import messages


def identity(call: Call) -> Sequence[Value]:
    """Lower to the input itself."""
    return [call.tensor()]


def dropout(call: Call) -> Sequence[Value]:
    """Lower to the input itself, in inference."""
    training = call.optional_constant(2, "training mode")
    if training is not None and training.any():
        raise call.refuse("drops at random (training mode)", "export the network in eval mode")
    return [call.tensor()]


def cast(call: Call) -> Sequence[Value]:
    """Lower a cast between float32 and float64, of which netopt sees the exact values."""
    kinds = messages().TensorProto
    target = call.attribute("to", None)
    if target not in (kinds.FLOAT, kinds.DOUBLE):
        raise call.refuse(
            f"rounds to {kinds.DataType.Name(target).lower()}", "netopt takes casts to float and double only"
        )
    return [call.tensor()]


LOWERINGS: dict[str, LoweringFunction] = {"Identity": identity, "Dropout": dropout, "Cast": cast}
