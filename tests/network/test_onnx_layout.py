"""Layout nodes evaluated by NumPy, against onnx's own reference; tensors and messages read without onnx."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from netopt.network.build import from_weights
from netopt.network.onnx_reader.layout import evaluate_layout
from netopt.network.onnx_reader.messages import attribute_value, to_array, type_name
from netopt.network.onnx_writer import write_onnx

GRID = np.arange(24).reshape(2, 3, 4)


def reference(node: onnx.NodeProto, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    undefined = onnx.TypeProto()
    ins, outs = (
        [onnx.helper.make_value_info(name, undefined) for name in names] for names in (node.input, node.output)
    )
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", ins, outs))
    return np.asarray(ReferenceEvaluator(model).run(None, dict(zip(node.input, inputs, strict=True)))[0])


@pytest.mark.parametrize(
    ("kind", "others", "attributes"),
    [
        ("Flatten", [], {}),
        ("Flatten", [], {"axis": 0}),
        ("Flatten", [], {"axis": 3}),
        ("Flatten", [], {"axis": -1}),
        ("Reshape", [np.array([4, 6])], {}),
        ("Reshape", [np.array([0, -1])], {}),
        ("Reshape", [np.array([-1])], {}),
        ("Reshape", [np.array([1, 2, 12, 1])], {}),
        ("Transpose", [], {}),
        ("Transpose", [], {"perm": [1, 0, 2]}),
        ("Concat", [GRID[:, :1]], {"axis": 1}),
        ("Concat", [GRID], {"axis": -1}),
    ],
)
def test_layouts_agree_with_the_reference(kind: str, others: list[NDArray[Any]], attributes: dict[str, Any]) -> None:
    inputs = [GRID, *others]
    node = onnx.helper.make_node(kind, [f"i{k}" for k in range(len(inputs))], ["o"], **attributes)
    found = evaluate_layout(node, inputs)
    assert found is not None
    np.testing.assert_array_equal(found, reference(node, inputs))


@pytest.mark.parametrize(
    ("kind", "others", "attributes"),
    [
        ("Reshape", [np.array([5, 5])], {}),
        ("Reshape", [np.array([5, -1])], {}),
        ("Reshape", [np.array([-1, -1])], {}),
        ("Reshape", [np.array([-2, 12])], {}),
        ("Reshape", [np.array([2, 3, 4, 0])], {}),
        ("Flatten", [], {"axis": 4}),
        ("Transpose", [], {"perm": [0, 0, 1]}),
        ("Concat", [GRID[:, :, :2]], {"axis": 1}),
        ("Concat", [GRID[0]], {"axis": 0}),
        ("Concat", [GRID], {}),
        ("Relu", [], {}),
    ],
)
def test_what_is_unsound_or_unknown_is_left_to_the_reference(
    kind: str, others: list[NDArray[Any]], attributes: dict[str, Any]
) -> None:
    inputs = [GRID, *others]
    node = onnx.helper.make_node(kind, [f"i{k}" for k in range(len(inputs))], ["o"], **attributes)
    assert evaluate_layout(node, inputs) is None


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "bool", "float16", "uint8"])
def test_tensors_agree_with_onnx(dtype: str, raw: bool) -> None:
    array = np.random.default_rng(0).normal(size=(3, 2)).astype(dtype)
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    values = array.tobytes() if raw else array.ravel().tolist()
    tensor = onnx.helper.make_tensor("t", kind, array.shape, values, raw=raw)
    found = to_array(tensor)
    assert found.dtype == array.dtype
    assert type_name(kind) == dtype
    np.testing.assert_array_equal(found, onnx.numpy_helper.to_array(tensor))


@pytest.mark.parametrize("value", [1.5, 7, "text", [1.0, 2.0], [1, 2], ["a", "b"], onnx.TypeProto()])
def test_attributes_agree_with_onnx(value: Any) -> None:
    attribute = onnx.helper.make_attribute("a", value)
    assert attribute_value(attribute) == onnx.helper.get_attribute_value(attribute)


def test_a_constant_node_is_read() -> None:
    node = onnx.helper.make_node("Constant", [], ["o"], value=onnx.numpy_helper.from_array(GRID))
    found = evaluate_layout(node, [])
    assert found is not None
    np.testing.assert_array_equal(found, GRID)


def test_a_file_is_read_without_onnx_and_onnx_works_afterwards(tmp_path: Path) -> None:
    write_onnx(from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]]), tmp_path / "n.onnx")
    script = (
        "import sys; from netopt.network.load import load_network\n"
        f"network = load_network({str(tmp_path / 'n.onnx')!r})\n"
        "print(sorted({'onnx', 'scipy', 'onnxruntime'} & set(sys.modules)))\n"
        "import onnx; from onnx import numpy_helper, onnx_ml_pb2\n"
        f"model = onnx.load({str(tmp_path / 'n.onnx')!r}); onnx.checker.check_model(model)\n"
        "print(type(model) is onnx_ml_pb2.ModelProto, network.forward([-2.0])[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "True 2.0"]
