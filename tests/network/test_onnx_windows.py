"""Convolutions and pools against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import agrees, node, write_model

RNG = np.random.default_rng(7)

#: attributes, input shape, kernel shape, with bias
CONVOLUTIONS: dict[str, tuple[dict[str, Any], tuple[int, ...], tuple[int, ...], bool]] = {
    "plain": ({}, (1, 2, 5, 6), (3, 2, 2, 3), True),
    "without bias": ({}, (1, 2, 5, 6), (3, 2, 3, 3), False),
    "grouped": ({"group": 2}, (1, 4, 5, 5), (6, 2, 3, 3), True),
    "depthwise": ({"group": 3, "pads": [1, 1, 1, 1]}, (1, 3, 4, 4), (3, 1, 3, 3), True),
    "strided": ({"strides": [2, 3]}, (1, 2, 7, 8), (2, 2, 3, 2), True),
    "dilated": ({"dilations": [2, 1]}, (1, 2, 7, 8), (2, 2, 3, 2), True),
    "asymmetric": ({"pads": [0, 1, 2, 3], "strides": [1, 2]}, (1, 2, 4, 5), (2, 2, 3, 3), True),
    "same upper": ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, (1, 2, 6, 5), (2, 2, 3, 4), True),
    "same lower": ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, (1, 2, 6, 5), (2, 2, 3, 4), True),
    "valid": ({"auto_pad": "VALID"}, (1, 2, 6, 5), (2, 2, 3, 4), True),
    "one by one": ({}, (1, 3, 4, 4), (2, 3, 1, 1), True),
    "whole image": ({}, (1, 3, 4, 4), (2, 3, 4, 4), True),
    "one-dimensional": ({"pads": [1, 2], "strides": [2], "dilations": [2]}, (1, 2, 9), (3, 2, 3), True),
    "one-dimensional grouped": ({"group": 2, "kernel_shape": [3]}, (1, 2, 9), (4, 1, 3), False),
}


@pytest.mark.parametrize("name", sorted(CONVOLUTIONS))
def test_convolution_agrees_with_onnxruntime(name: str, tmp_path: Path) -> None:
    attributes, shape, kernel, biased = CONVOLUTIONS[name]
    constants = {"w": RNG.normal(size=kernel)} | ({"b": RNG.normal(size=kernel[0])} if biased else {})
    nodes = [node("Conv", "x w b" if biased else "x w", "c", **attributes), node("Relu", "c")]
    agrees(write_model(tmp_path / "m.onnx", nodes, {"x": shape}, constants=constants, opset=11))


#: operator, attributes, input shape, opset
POOLS: dict[str, tuple[str, dict[str, Any], tuple[int, ...], int]] = {
    "average": ("AveragePool", {"kernel_shape": [2, 3], "strides": [2, 2]}, (1, 2, 6, 7), 7),
    "average padded": ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 0, 2]}, (1, 2, 5, 5), 10),
    "average counting padding": (
        "AveragePool",
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
        (1, 2, 5, 5),
        11,
    ),
    "average ceil": ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, (1, 1, 6, 6), 11),
    "average ceil counting padding": (
        "AveragePool",
        {"kernel_shape": [3], "strides": [2], "ceil_mode": 1, "pads": [1, 1], "count_include_pad": 1},
        (1, 1, 6),
        19,
    ),
    "average same": (
        "AveragePool",
        {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
        (1, 1, 6, 5),
        11,
    ),
    "average dilated": ("AveragePool", {"kernel_shape": [2, 2], "dilations": [2, 1]}, (1, 1, 5, 5), 19),
    "average one-dimensional": ("AveragePool", {"kernel_shape": [3]}, (2, 2, 7), 11),
    "maximum": ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}, (1, 2, 4, 6), 8),
    "maximum padded": ("MaxPool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}, (1, 2, 5, 5), 11),
    "maximum ceil": ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, (1, 1, 6, 6), 12),
    "maximum ceil last window outside": (
        "MaxPool",
        {"kernel_shape": [2], "strides": [3], "ceil_mode": 1, "pads": [1, 1]},
        (1, 1, 5),
        12,
    ),
    "maximum dilated": ("MaxPool", {"kernel_shape": [2, 3], "dilations": [2, 1]}, (1, 1, 5, 5), 12),
    "maximum same lower": ("MaxPool", {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"}, (1, 1, 4, 4), 12),
    "maximum one-dimensional": ("MaxPool", {"kernel_shape": [4], "strides": [3]}, (1, 3, 10), 12),
    "maximum overlapping": ("MaxPool", {"kernel_shape": [3, 3]}, (1, 1, 5, 5), 12),
    "global average": ("GlobalAveragePool", {}, (1, 3, 4, 2), 7),
    "global maximum": ("GlobalMaxPool", {}, (1, 3, 3, 3), 7),
    "three-dimensional": ("AveragePool", {"kernel_shape": [2, 2, 2]}, (1, 1, 3, 3, 3), 11),
}


#: netopt convolves single images over at most two axes
POOLED = [
    (name, before)
    for name, (_, _, shape, _) in POOLS.items()
    for before in ("input", "relu", "conv")
    if before != "conv" or (shape[0] == 1 and len(shape) <= 4)
]


@pytest.mark.parametrize(("name", "before"), POOLED)
def test_pool_agrees_with_onnxruntime(name: str, before: str, tmp_path: Path) -> None:
    operator, attributes, shape, opset = POOLS[name]
    nodes = [node(operator, "a", **attributes)]
    constants = {}
    if before == "conv":
        constants = {
            "w": RNG.normal(size=(shape[1], shape[1], *(1,) * (len(shape) - 2))),
            "b": RNG.normal(size=shape[1]),
        }
    head = {"input": node("Identity", "x", "a"), "relu": node("Relu", "x", "a"), "conv": node("Conv", "x w b", "a")}
    agrees(write_model(tmp_path / "m.onnx", [head[before], *nodes], {"x": shape}, constants=constants, opset=opset))
