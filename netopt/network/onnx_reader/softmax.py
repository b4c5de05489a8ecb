"""Softmax and LogSoftmax: left out at the very end of a network when the caller wants logits, refused elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netopt.network.onnx_reader.call import Call, LoweringFunction, Tensor, Value

if TYPE_CHECKING:
    import onnx

#: What results call a Softmax that was left out.
DROPPED = {"Softmax": "softmax", "LogSoftmax": "log-softmax"}


#: What may follow a Softmax that ends the network.
_RESHAPING = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout"}


def trailing_softmax(graph: onnx.GraphProto) -> str | None:
    """Return the output of the Softmax that ends a graph with one output, or None."""
    if len(graph.output) != 1:
        return None
    makers = {name: node for node in graph.node for name in node.output}
    readers = Counter(name for node in graph.node for name in node.input)
    name: str = graph.output[0].name
    expected_readers = 0
    while name in makers and readers[name] == expected_readers:
        node = makers[name]
        if node.op_type in DROPPED:
            return name
        if node.op_type not in _RESHAPING:
            return None
        name, expected_readers = node.input[0], 1
    return None


def softmax(call: Call) -> Sequence[Value]:
    """Leave the node out."""
    x = call.tensor()
    if not call.trailing:
        raise call.refuse("is not piecewise linear", "take it out of the network and export again")
    if not call.wants_logits:
        raise call.refuse(
            "ends the network and is not piecewise linear", "pass output='logits' to work on the values before it"
        )
    if not _normalises_everything(call, x):
        raise call.refuse(
            f"normalises a part of a tensor of shape {x.shape} at a time", "make it normalise all outputs together"
        )
    return [x]


def _normalises_everything(call: Call, x: Tensor) -> bool:
    axis = call.axis(int(call.attribute("axis", -1 if call.opset >= 13 else 1)), len(x.shape))
    size = x.shape[axis] if call.opset >= 13 else int(np.prod(x.shape[axis:]))
    return size == x.value.size


LOWERINGS: dict[str, LoweringFunction] = dict.fromkeys(DROPPED, softmax)
