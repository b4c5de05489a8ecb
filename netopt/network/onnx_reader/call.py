"""One ONNX node with its inputs evaluated: what a lowering function is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import IntArray
from netopt.errors import InputError, UnsupportedOperatorError
from netopt.network.lowering import Expression, Lowering
from netopt.network.onnx_reader.messages import attribute_value

if TYPE_CHECKING:
    import onnx

Constant = NDArray[Any]


@dataclass(frozen=True, eq=False, slots=True)
class Tensor:
    """A tensor that depends on the network's input: a shape and the expression of its row-major vector."""

    shape: tuple[int, ...]
    value: Expression

    @property
    def index(self) -> IntArray:
        """Positions of the entries in the vector, shaped as the tensor."""
        return np.arange(self.value.size).reshape(self.shape)


Value = Tensor | Constant


@dataclass(frozen=True, eq=False)
class Call:
    """A node in the middle of reading.

    Attributes
    ----------
    node : the node.
    inputs : its inputs; None where an optional one is left out.
    opset : version of the model's operators.
    lowering : the network so far.
    trailing : whether nothing but changes of shape follows the node.
    wants_logits : whether the caller asked for a trailing Softmax to be left out.
    """

    node: onnx.NodeProto
    inputs: tuple[Value | None, ...]
    opset: int
    lowering: Lowering
    trailing: bool = False
    wants_logits: bool = False

    @property
    def label(self) -> str:
        """How messages name the node."""
        return f"node {self.node.name or self.node.output[0]!r} ({self.node.op_type})"

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """Attribute name -> value; strings decoded."""
        values = {a.name: attribute_value(a) for a in self.node.attribute}
        return {name: v.decode() if isinstance(v, bytes) else v for name, v in values.items()}

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute's value, or `default`."""
        return self.attributes.get(name, default)

    def refuse(self, why: str, remedy: str) -> UnsupportedOperatorError:
        """Return the error for something that cannot be Affine and ReLU."""
        return UnsupportedOperatorError(f"{self.label} {why}; {remedy}")

    def malformed(self, why: str) -> InputError:
        """Return the error for a node the ONNX standard does not allow."""
        return InputError(f"{self.label} {why}; export the network again")

    def has(self, position: int) -> bool:
        """Return whether an optional input is given."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def value(self, position: int) -> Value:
        """Return an input that must be there."""
        found = self.inputs[position] if position < len(self.inputs) else None
        if found is None:
            raise self.malformed(f"lacks its input {position}")
        return found

    def tensor(self, position: int = 0) -> Tensor:
        """Return an input as a tensor; a constant becomes an expression that reads nothing."""
        found = self.value(position)
        return found if isinstance(found, Tensor) else Tensor(found.shape, self.lowering.constant(found))

    def constant(self, position: int, what: str) -> Constant:
        """Return an input that has to be constant."""
        found = self.value(position)
        if isinstance(found, Tensor):
            raise self.refuse(f"has a {what} that depends on the network's input", f"make the {what} a constant")
        return found

    def optional_constant(self, position: int, what: str) -> Constant | None:
        """Return an optional input that has to be constant."""
        return self.constant(position, what) if self.has(position) else None

    def axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from the front."""
        if not -rank <= axis < rank:
            raise self.malformed(f"has axis {axis} on a tensor of rank {rank}")
        return axis % rank

    def take(self, x: Tensor, index: IntArray) -> Tensor:
        """Return the tensor of entries ``index`` of `x`, shaped as `index`; negative ones are zero."""
        return Tensor(index.shape, self.lowering.take(x.value, index.ravel()))

    def broadcast(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return `x` repeated to a shape."""
        return self.take(x, np.broadcast_to(x.index, shape))

    def common_shape(self, *values: Value) -> tuple[int, ...]:
        """Return the shape the values broadcast to."""
        try:
            return np.broadcast_shapes(*(value.shape for value in values))
        except ValueError as error:
            shapes = ", ".join(str(value.shape) for value in values)
            raise self.malformed(f"joins tensors of shapes {shapes}, which do not broadcast") from error


LoweringFunction = Callable[[Call], Sequence[Value]]
