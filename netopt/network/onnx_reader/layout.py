"""The commonest nodes that only hold or rearrange data, evaluated by NumPy; onnx's reference takes longer to load."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netopt.network.onnx_reader.messages import attribute_value, to_array

if TYPE_CHECKING:
    import onnx

_Array = NDArray[Any]
#: Called with a node's attributes and inputs; returns its one output, or None for a case left to the reference.
_Evaluation = Callable[[Mapping[str, Any], Sequence[_Array | None]], _Array | None]


def evaluate_layout(node: onnx.NodeProto, inputs: Sequence[_Array | None]) -> _Array | None:
    """Return the output of a node at constant inputs, or None where it is not one of these, or not a sound one."""
    evaluation = _EVALUATIONS.get(node.op_type)
    if evaluation is None or len(node.output) != 1:
        return None
    return evaluation({a.name: attribute_value(a) for a in node.attribute}, inputs)


def _constant(attributes: Mapping[str, Any], inputs: Sequence[_Array | None]) -> _Array | None:
    return to_array(attributes["value"]) if set(attributes) == {"value"} and not inputs else None


def _flatten(attributes: Mapping[str, Any], inputs: Sequence[_Array | None]) -> _Array | None:
    x, axis = inputs[0], attributes.get("axis", 1)
    if x is None or not -x.ndim <= axis <= x.ndim:
        return None
    before = int(np.prod(x.shape[: axis if axis >= 0 else axis + x.ndim], dtype=np.int64))
    return x.reshape(before, x.size // before) if before else None


def _reshape(attributes: Mapping[str, Any], inputs: Sequence[_Array | None]) -> _Array | None:
    if len(inputs) != 2 or attributes.get("allowzero", 0):
        return None
    x, target = inputs
    if x is None or target is None or target.ndim != 1 or ((target == 0).sum() > 0 and target.size > x.ndim):
        return None
    shape = [x.shape[k] if length == 0 else int(length) for k, length in enumerate(target)]
    known = int(np.prod([length for length in shape if length != -1], dtype=np.int64))
    if min(shape, default=1) < -1 or shape.count(-1) > 1 or known <= 0:
        return None
    fits = x.size % known == 0 if -1 in shape else x.size == known
    return x.reshape(shape) if fits else None


def _transpose(attributes: Mapping[str, Any], inputs: Sequence[_Array | None]) -> _Array | None:
    x = inputs[0]
    if x is None:
        return None
    axes = attributes.get("perm", list(range(x.ndim))[::-1])
    return x.transpose(axes) if sorted(axes) == list(range(x.ndim)) else None


def _concat(attributes: Mapping[str, Any], inputs: Sequence[_Array | None]) -> _Array | None:
    parts, axis = [part for part in inputs if part is not None], attributes.get("axis")
    if axis is None or len(parts) != len(inputs) or not parts or not -parts[0].ndim <= axis < parts[0].ndim:
        return None
    rest = {tuple(np.delete(part.shape, axis)) if part.ndim == parts[0].ndim else None for part in parts}
    return np.concatenate(parts, axis=axis) if len(rest) == 1 and len({part.dtype for part in parts}) == 1 else None


_EVALUATIONS: Mapping[str, _Evaluation] = {
    "Constant": _constant,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Concat": _concat,
}
