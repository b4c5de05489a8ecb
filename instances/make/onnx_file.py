"""Trained weights as an ONNX file: plain float32 operators, no metadata, so the same weights give the same bytes."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 13


class OnnxWriter:
    """Collects nodes and initialisers of one graph from ``X`` to ``Y``."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        self.input_shape = input_shape
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def add(self, operator: str, source: str | Sequence[str], parameters: dict[str, Any], **attributes: Any) -> str:
        """Append one operator and return the name of its output."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        inputs = [source] if isinstance(source, str) else list(source)
        for key, value in parameters.items():
            inputs.append(f"{name}.{key}")
            self.initialisers.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), inputs[-1]))
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def write(self, path: Path, last: str, outputs: int) -> None:
        """Rename `last` to Y, check the model and write it (gzip when the name ends in ``.gz``)."""
        for node in self.nodes:
            node.output[:] = ["Y" if name == last else name for name in node.output]
        tensor = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            path.name.split(".")[0],
            [tensor("X", onnx.TensorProto.FLOAT, self.input_shape)],
            [tensor("Y", onnx.TensorProto.FLOAT, (1, outputs))],
            self.initialisers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        data = model.SerializeToString(deterministic=True)
        path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def write_mlp(path: Path, weights: Sequence[Any], biases: Sequence[Any]) -> None:
    """Write ``W_L relu(... relu(W_1 x + b_1) ...) + b_L`` with (out, in) matrices, input shape (1, in)."""
    writer = OnnxWriter((1, np.shape(weights[0])[1]))
    name = "X"
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        name = writer.add("Gemm", name, {"weight": weight, "bias": bias}, transB=1)
        if k < len(weights) - 1:
            name = writer.add("Relu", name, {})
    writer.write(path, name, len(biases[-1]))
