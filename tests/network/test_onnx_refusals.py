"""What is refused, and with which words; the softmax at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_models import node, perceptron, write_model

from netopt.errors import InputError, InvalidOptionError, UnsupportedOperatorError
from netopt.network.load import load_network
from netopt.network.replay import OnnxReplay

RNG = np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def softmax_model(path: Path, operator: str = "Softmax", shape: tuple[int, ...] = (1, 3), **options: Any) -> Path:
    attributes = options.pop("attributes", {})
    nodes = [node("Gemm", "x w", "a"), node(operator, "a", "s", **attributes), node("Identity", "s")]
    return write_model(path, nodes, {"x": shape}, constants={"w": normal(3, 4)}, **options)


@pytest.mark.parametrize(("operator", "dropped"), [("Softmax", "softmax"), ("LogSoftmax", "log-softmax")])
def test_trailing_softmax(operator: str, dropped: str, tmp_path: Path) -> None:
    path = softmax_model(tmp_path / "m.onnx", operator)
    with pytest.raises(UnsupportedOperatorError, match=r"\(" + operator + r"\).*output='logits'"):
        load_network(path)
    network = load_network(path, output="logits")
    assert network.dropped_output == dropped
    points = normal(5, 3).astype(np.float32)
    exponential = np.exp(network.forward(points))
    expected = exponential / exponential.sum(axis=1, keepdims=True)
    expected = np.log(expected) if operator == "LogSoftmax" else expected
    np.testing.assert_allclose(OnnxReplay(network).forward(points), expected, atol=1e-6)


def test_softmax_of_old_opsets_normalises_trailing_axes(tmp_path: Path) -> None:
    nodes = [node("Softmax", "x")]
    path = write_model(tmp_path / "m.onnx", nodes, {"x": (1, 2, 3)}, opset=11)
    assert load_network(path, output="logits").dropped_output == "softmax"


@pytest.mark.parametrize(("shape", "axis"), [((2, 3), 1), ((1, 3), 0)])
def test_softmax_over_a_part_is_refused(shape: tuple[int, ...], axis: int, tmp_path: Path) -> None:
    path = softmax_model(tmp_path / "m.onnx", shape=shape, attributes={"axis": axis})
    with pytest.raises(UnsupportedOperatorError, match="a part of a tensor"):
        load_network(path, output="logits")


def test_softmax_inside_is_refused_even_for_logits(tmp_path: Path) -> None:
    nodes = [node("Softmax", "x", "s"), node("Relu", "s")]
    with pytest.raises(UnsupportedOperatorError, match=r"'softmax_s' \(Softmax\) is not piecewise linear"):
        load_network(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 3)}), output="logits")


def test_softmax_that_something_else_reads_is_refused(tmp_path: Path) -> None:
    nodes = [node("Softmax", "x", "s"), node("Identity", "s", "y"), node("Identity", "s", "unused")]
    with pytest.raises(UnsupportedOperatorError, match="Softmax"):
        load_network(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 3)}), output="logits")


def test_unknown_output_option(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError, match="'scores' is unknown"):
        load_network(perceptron(tmp_path / "m.onnx"), output="scores")


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("Sigmoid", "x")], r"node 'sigmoid_y' \(Sigmoid\) is not piecewise linear"),
        ([node("Tanh", "x")], "Tanh"),
        ([node("Mul", "x x")], "multiplies two tensors"),
        ([node("Transpose", "x", "t"), node("MatMul", "x t")], "multiplies two tensors"),
        ([node("Div", "c x")], "divisor that depends"),
        ([node("Cast", "x", to=7)], "rounds to int64"),
        ([node("RandomNormal", [], "a", shape=[1, 3]), node("Add", "x a")], "RandomNormal"),
        ([node("Erf", "x")], "Erf"),
        ([node("MaxPool", "i", "y z", kernel_shape=[2])], "indices of the maxima"),
        ([node("Conv", "i i")], "kernel that depends"),
        ([node("ScatterElements", "x j c", reduction="add")], "joins entries by 'add'"),
        ([node("Einsum", "x x", equation="bi,bi->b")], "multiplies two tensors"),
        ([node("Einsum", "x c", equation="...i,i->...")], "name every axis"),
    ],
)
def test_what_is_not_piecewise_linear_is_refused(nodes: list[onnx.NodeProto], message: str, tmp_path: Path) -> None:
    reshape = node("Reshape", "x s", "i")
    constants = {"c": normal(3), "s": np.array([1, 1, 3]), "j": np.zeros((1, 3), dtype=np.int64)}
    path = write_model(tmp_path / "m.onnx", [reshape, *nodes], {"x": (1, 3)}, constants=constants)
    with pytest.raises(UnsupportedOperatorError, match=message) as caught:
        load_network(path)
    assert ";" in str(caught.value)


def test_batch_of_images_is_refused(tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "m.onnx", [node("Conv", "x w")], {"x": (2, 1, 3, 3)}, constants={"w": normal(1, 1, 2, 2)}
    )
    with pytest.raises(UnsupportedOperatorError, match="batch of 2 images; export the network with batch size 1"):
        load_network(path)


@pytest.mark.parametrize("equation", ["bi->b", "bij,j->b", "bi,b->b", "bi,i->k", "bi,i->bb"])
def test_malformed_equations(equation: str, tmp_path: Path) -> None:
    nodes = [node("Einsum", "x c", equation=equation)]
    with pytest.raises(InputError, match="equation"):
        load_network(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 3)}, constants={"c": normal(3)}))


def test_training_mode_is_refused(tmp_path: Path) -> None:
    constants = {"r": np.float64(0.5), "t": np.array(True)}
    path = write_model(tmp_path / "m.onnx", [node("Dropout", "x r t")], {"x": (1, 3)}, constants=constants, opset=13)
    with pytest.raises(UnsupportedOperatorError, match="training mode"):
        load_network(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(value: float, tmp_path: Path) -> None:
    weight = np.ones((3, 2))
    weight[1, 1] = value
    path = write_model(tmp_path / "m.onnx", [node("Gemm", "x w")], {"x": (1, 3)}, constants={"w": weight})
    with pytest.raises(InputError, match="'w' holds NaN or infinite"):
        load_network(path)


def test_lone_infinite_constant_is_refused_where_it_is_used(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", [node("Add", "x c")], {"x": (1, 3)}, constants={"c": np.float64(np.inf)})
    with pytest.raises(InputError, match=r"'output\.affine' has NaN or infinite weights"):
        load_network(path)


@pytest.mark.parametrize(("weight", "accepted"), [(1e308, False), (4e307, True), (-1e308, False)])
def test_rows_that_overflow_are_refused(weight: float, accepted: bool, tmp_path: Path) -> None:
    rows = np.array([[weight, weight, weight / 1e10], [1.0, 1.0, 1.0]]).T
    path = write_model(tmp_path / "m.onnx", [node("MatMul", "x w")], {"x": (1, 3)}, constants={"w": rows}, dtype=float)
    if accepted:
        assert load_network(path).output_size == 2
        return
    with pytest.raises(InputError, match=r"'output\.affine' has NaN or infinite weights"):
        load_network(path)


def test_old_opset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"opset 6; convert it to 7"):
        load_network(perceptron(tmp_path / "m.onnx", opset=6))


def test_unknown_axis_is_refused_beyond_the_batch(tmp_path: Path) -> None:
    nodes = [node("Relu", "x")]
    assert load_network(write_model(tmp_path / "m.onnx", nodes, {"x": ("batch", 3)})).input_size == 3
    with pytest.raises(InputError, match="unknown axis other than the batch"):
        load_network(write_model(tmp_path / "n.onnx", nodes, {"x": ("batch", "width")}))


def test_integer_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds int64"):
        load_network(write_model(tmp_path / "m.onnx", [node("Identity", "x")], {"x": (3,)}, dtype=np.int64))


def test_graph_out_of_order_is_refused(tmp_path: Path) -> None:
    nodes = [node("Relu", "a"), node("Neg", "x", "a")]
    with pytest.raises(InputError, match="reads 'a', which nothing before it makes"):
        load_network(write_model(tmp_path / "m.onnx", nodes, {"x": (3,)}))
