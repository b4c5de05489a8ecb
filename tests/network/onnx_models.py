"""Small ONNX models made for a test, read by netopt and compared with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.network.replay import OnnxReplay

LATEST = 21
Arrays = Mapping[str, Any]


def node(
    operator: str, inputs: Sequence[str] | str, outputs: Sequence[str] | str = "y", **attributes: Any
) -> onnx.NodeProto:
    """Return a node; names may be given as one string with blanks."""
    read = inputs.split(" ") if isinstance(inputs, str) else inputs
    made = outputs.split(" ") if isinstance(outputs, str) else outputs
    return helper.make_node(operator, read, made, name=f"{operator.lower()}_{made[0]}", **attributes)


def write_model(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str] = ("y",),
    constants: Arrays | None = None,
    opset: int = LATEST,
    dtype: Any = np.float32,
) -> Path:
    """Write a model whose outputs have an open shape."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(_typed(value, dtype), name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def _typed(value: Any, dtype: Any) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(dtype) if array.dtype.kind == "f" else array


def perceptron(path: Path, seed: int = 11, **options: Any) -> Path:
    """Write 3 inputs, 4 ReLUs, 2 outputs."""
    generator = np.random.default_rng(seed)
    shapes = {"w": (3, 4), "b": (4,), "v": (4, 2), "c": (2,)}
    nodes = [node("Gemm", "x w b", "a"), node("Relu", "a", "r"), node("Gemm", "r v c")]
    constants = {name: generator.normal(size=shape) for name, shape in shapes.items()}
    return write_model(path, nodes, {"x": (1, 3)}, constants=constants, **options)


def names(path: Path) -> list[str]:
    """Return the names of the nodes that a file is read as."""
    return [found.name for found in load_network(path).nodes]


def agrees(path: Path, *, output: str | None = None, tolerance: float = 2e-6) -> Network:
    """Read a file and compare it with onnxruntime at random points and at points full of ties.

    `tolerance` is the share of the largest output by which float32 may differ.
    """
    network = load_network(path, output=output)
    generator = np.random.default_rng(0)
    size = network.input_size
    points = np.concatenate(
        [
            generator.normal(size=(6, size)) * 2.0,
            generator.integers(-2, 3, size=(6, size)),
            np.zeros((1, size)),
            np.full((1, size), 3.0),
        ]
    ).astype(network.inputs[0].dtype)
    expected = OnnxReplay(network).forward(points)
    found = network.forward(points)
    scale = 1.0 + np.abs(expected).max()
    share = tolerance if network.inputs[0].dtype == "float32" else 1e-13
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=share * scale)
    return network
