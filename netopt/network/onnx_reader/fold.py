"""Nodes evaluated at constants: also moves of data, tracked by their positions. Most by ONNX's own reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netopt.errors import UnsupportedOperatorError
from netopt.network.onnx_reader.layout import evaluate_layout

if TYPE_CHECKING:
    import onnx


def evaluate(node: onnx.NodeProto, inputs: Sequence[NDArray[Any] | None], opset: int) -> list[NDArray[Any]]:
    """Return a node's outputs at constant inputs.

    Raises
    ------
    UnsupportedOperatorError
        The reference implementation does not know the operator or cannot evaluate it.
    """
    known = evaluate_layout(node, inputs)
    if known is not None:
        return [known]
    import onnx
    from onnx.reference import ReferenceEvaluator

    given = {name: array for name, array in zip(node.input, inputs, strict=True) if array is not None}
    undefined = onnx.TypeProto()
    graph = onnx.helper.make_graph(
        [node],
        "fold",
        [onnx.helper.make_value_info(name, undefined) for name in given],
        [onnx.helper.make_value_info(name, undefined) for name in node.output if name],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid(node.domain, opset)])
    try:
        outputs = ReferenceEvaluator(model).run(None, given)
    except Exception as error:  # the evaluator raises whatever NumPy or it itself found wrong
        raise UnsupportedOperatorError(
            f"node {node.name or node.output[0]!r} ({node.op_type}) cannot be evaluated"
            f" ({type(error).__name__}: {error}); export the network with constants folded"
        ) from error
    return [np.asarray(output) for output in outputs]
