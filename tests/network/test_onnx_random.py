"""Random attributes and random graphs against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_models import agrees, node, write_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("random")


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_convolution_attributes(data: st.DataObject, folder: Path) -> None:
    draw = data.draw
    axes = draw(st.integers(1, 2))
    group = draw(st.integers(1, 3))
    kernel = [draw(st.integers(1, 3)) for _ in range(axes)]
    dilations = [draw(st.integers(1, 2)) for _ in range(axes)]
    image = [draw(st.integers(5, 8)) for _ in range(axes)]
    attributes: dict[str, Any] = {"group": group, "strides": [draw(st.integers(1, 3)) for _ in range(axes)]}
    padding = draw(st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", None]))
    if padding is not None:
        attributes["auto_pad"] = padding
    if padding in (None, "NOTSET"):
        attributes["pads"] = [draw(st.integers(0, 2)) for _ in range(2 * axes)]
    if padding not in ("SAME_UPPER", "SAME_LOWER"):  # onnxruntime takes no dilation with these
        attributes["dilations"] = dilations
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    constants = {"w": generator.normal(size=(group * 2, 2, *kernel)), "b": generator.normal(size=group * 2)}
    operands = draw(st.sampled_from(["x w b", "x w"]))
    path = write_model(
        folder / "conv.onnx",
        [node("Conv", operands, **attributes)],
        {"x": (1, group * 2, *image)},
        constants=constants,
        opset=11,
    )
    agrees(path)


class Graph:
    """A graph that grows by random steps; `live` are tensors (name, shape) that a step may read."""

    def __init__(self, draw: Callable[..., Any], generator: np.random.Generator) -> None:
        self.draw, self.generator = draw, generator
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.live: list[tuple[str, tuple[int, ...]]] = [("x", (1, 2, 4, 4))]

    def constant(self, *shape: int) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.round(self.generator.normal(size=shape), 1)
        return name

    def emit(self, operator: str, inputs: list[str], shape: tuple[int, ...], **attributes: Any) -> None:
        name = f"t{len(self.nodes)}"
        self.nodes.append(node(operator, inputs, name, **attributes))
        self.live.append((name, shape))

    def step(self) -> None:
        name, shape = self.draw(st.sampled_from(self.live[-3:]))
        channels, height, width = shape[1:]
        same = [other for other, its in self.live if its == shape]
        match self.draw(
            st.sampled_from(["relu", "leaky", "abs", "clip", "conv", "twin", "concat", "norm", "pool", "turn", "scale"])
        ):
            case "relu":
                self.emit("Relu", [name], shape)
            case "leaky":
                self.emit("LeakyRelu", [name], shape, alpha=0.25)
            case "abs":
                self.emit("Abs", [name], shape)
            case "clip":
                self.constants |= {"low": np.array(-0.5), "high": np.array(1.0)}
                self.emit("Clip", [name, "low", "high"], shape)
            case "conv":
                operands = [name, self.constant(2, channels, 3, 3), self.constant(2)]
                self.emit("Conv", operands, (1, 2, height, width), pads=[1, 1, 1, 1])
            case "twin":
                operator = self.draw(st.sampled_from(["Add", "Sub", "Max", "Min"]))
                self.emit(operator, [name, self.draw(st.sampled_from(same))], shape)
            case "concat" if channels <= 4:
                self.emit("Concat", [name, self.draw(st.sampled_from(same))], (1, 2 * channels, height, width), axis=1)
            case "norm":
                self.emit("Mul", [name, self.constant(1, channels, 1, 1)], shape)
            case "pool" if height > 1 and width > 1:
                operator = self.draw(st.sampled_from(["MaxPool", "AveragePool"]))
                self.emit(operator, [name], (1, channels, height - 1, width - 1), kernel_shape=[2, 2])
            case "turn":
                self.emit("Transpose", [name], (1, channels, width, height), perm=[0, 1, 3, 2])
            case _:
                self.emit("Add", [name, self.constant(1, 1, 1, width)], shape)


@given(data=st.data())
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_random_graphs(data: st.DataObject, folder: Path) -> None:
    graph = Graph(data.draw, np.random.default_rng(data.draw(st.integers(0, 999))))
    for _ in range(data.draw(st.integers(1, 9))):
        graph.step()
    name, _ = graph.live[-1]
    flat = node("Flatten", name, "y")
    path = write_model(
        folder / "graph.onnx", [*graph.nodes, flat], {"x": (1, 2, 4, 4)}, constants=graph.constants, opset=13
    )
    network = agrees(path, tolerance=1e-4)  # a clip may leave outputs far smaller than what they were made of
    for affine in network.affines:
        assert len(set(affine.inputs)) == len(affine.inputs)
