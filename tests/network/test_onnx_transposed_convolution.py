"""Transposed convolutions against onnxruntime: every attribute, random ones, and one inside a generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_models import agrees, node, write_model

from netopt.bounds.crown import crown_bounds
from netopt.errors import InputError, UnsupportedOperatorError
from netopt.network.load import load_network
from netopt.specification.box import Box

RNG = np.random.default_rng(5)

#: attributes, input shape, kernel shape
CASES: dict[str, tuple[dict[str, Any], tuple[int, ...], tuple[int, ...]]] = {
    "plain": ({}, (1, 2, 3, 4), (2, 3, 3, 2)),
    "doubling": ({"strides": [2, 2], "pads": [1, 1, 1, 1]}, (1, 3, 4, 4), (3, 2, 4, 4)),
    "output padding": ({"strides": [2, 3], "output_padding": [1, 2]}, (1, 2, 3, 2), (2, 2, 3, 3)),
    "grouped": ({"strides": [2, 2], "group": 2}, (1, 4, 3, 3), (4, 3, 2, 2)),
    "depthwise": ({"group": 3, "pads": [1, 0, 1, 2]}, (1, 3, 4, 4), (3, 1, 3, 3)),
    "dilated": ({"strides": [2, 1], "dilations": [3, 2]}, (1, 2, 3, 4), (2, 2, 3, 2)),
    "stride beyond the kernel": ({"strides": [3, 3]}, (1, 2, 3, 3), (2, 2, 2, 1)),
    "pads beyond the kernel": ({"strides": [2, 2], "pads": [3, 2, 1, 4]}, (1, 2, 5, 6), (2, 2, 2, 3)),
    "same upper": ({"strides": [2, 2], "auto_pad": "SAME_UPPER"}, (1, 2, 3, 3), (2, 2, 3, 3)),
    "same lower": ({"strides": [2, 2], "auto_pad": "SAME_LOWER"}, (1, 2, 3, 3), (2, 2, 3, 3)),
    "output shape": ({"strides": [2, 2], "output_shape": [6, 5]}, (1, 2, 3, 3), (2, 2, 3, 3)),
    "one-dimensional": ({"strides": [3], "pads": [1, 2]}, (1, 2, 4), (2, 3, 4)),
}


def write(path: Path, attributes: dict[str, Any], shape: tuple[int, ...], kernel: tuple[int, ...]) -> Path:
    outputs = kernel[1] * attributes.get("group", 1)
    constants = {"w": RNG.normal(size=kernel), "b": RNG.normal(size=outputs)}
    nodes = [node("ConvTranspose", "x w b", "c", **attributes), node("Relu", "c")]
    return write_model(path, nodes, {"x": shape}, constants=constants, opset=11)


@pytest.mark.parametrize("name", sorted(CASES))
def test_transposed_convolution_agrees_with_onnxruntime(name: str, tmp_path: Path) -> None:
    agrees(write(tmp_path / "m.onnx", *CASES[name]))


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=25)
def test_random_attributes(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    def each(low: int, high: int) -> list[int]:
        return [data.draw(st.integers(low, high)) for _ in range(axes)]

    axes, group = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))
    image, kernel, strides, dilations = each(2, 5), each(1, 4), each(1, 3), each(1, 2)
    attributes: dict[str, Any] = {"group": group, "strides": strides, "dilations": dilations}
    full = [s * (n - 1) + (k - 1) * d + 1 for s, n, k, d in zip(strides, image, kernel, dilations, strict=True)]
    crops = [data.draw(st.integers(0, size - 1)) for size in full]
    begin = [data.draw(st.integers(0, crop)) for crop in crops]
    attributes["pads"] = [*begin, *(crop - a for crop, a in zip(crops, begin, strict=True))]
    path = tmp_path_factory.mktemp("random") / "m.onnx"
    channels = group * data.draw(st.integers(1, 2))
    agrees(write(path, attributes, (1, channels, *image), (channels, 2, *kernel)))


def test_generator_and_its_bounds(tmp_path: Path) -> None:
    nodes = [
        node("Gemm", "x v", "a"),
        node("Relu", "a", "b"),
        node("Reshape", "b s", "c"),
        node("ConvTranspose", "c w", "d", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("BatchNormalization", "d k l m n", "e"),
        node("Relu", "e", "f"),
        node("ConvTranspose", "f u", "g", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("ReduceSum", "g axes", keepdims=0),
    ]
    constants = {"v": RNG.normal(size=(3, 12)), "s": np.array([-1, 3, 2, 2]), "w": RNG.normal(size=(3, 2, 4, 4))}
    constants |= {"u": RNG.normal(size=(2, 1, 4, 4)), "axes": np.array([1, 3])}
    constants |= {name: RNG.random(size=2) + 0.5 for name in "klmn"}
    network = agrees(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 3)}, constants=constants, opset=13))
    box = Box(np.full(3, -0.3), np.full(3, 0.3))
    bounds = crown_bounds(network, box)
    points = box.sample(np.random.default_rng(0), 1000)
    values = network.forward(points)
    assert (values >= bounds.output_lower).all()
    assert (values <= bounds.output_upper).all()


def test_windows_that_do_not_reach_are_refused(tmp_path: Path) -> None:
    attributes = {"strides": [3, 3], "auto_pad": "SAME_UPPER"}
    with pytest.raises(UnsupportedOperatorError, match="beyond what its windows reach"):
        load_network(write(tmp_path / "m.onnx", attributes, (1, 2, 3, 3), (2, 2, 2, 2)))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"pads": [-1, 0, 0, 0]}, "negative pads"),
        ({"auto_pad": "MIDDLE"}, "unknown auto_pad"),
        ({"pads": [2, 2, 2, 2]}, "outputs of shape"),
        ({"group": 3}, "has 3 groups"),
    ],
)
def test_malformed_attributes(attributes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load_network(write(tmp_path / "m.onnx", attributes, (1, 2, 3, 3), (2, 2, 2, 2)))
