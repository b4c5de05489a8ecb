"""Files: damaged, missing, pickled, with data beside them; and their replay."""

from __future__ import annotations

import gzip
import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx_models import agrees, node, perceptron, write_model

from netopt.errors import InputError, UnsupportedOperatorError
from netopt.network.load import load_network
from netopt.network.replay import OnnxReplay


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"not a model at all", "is not an ONNX file"),
        (gzip.compress(b"x" * 1000, mtime=0)[:20], "damaged gzip"),
        (onnx.ModelProto().SerializeToString() or b"\x08\x08", "no ONNX graph"),
    ],
)
def test_damaged_file(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_network(path)


def test_every_truncation_is_an_input_error(tmp_path: Path) -> None:
    content = perceptron(tmp_path / "m.onnx").read_bytes()
    path = tmp_path / "cut.onnx"
    for length in range(1, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(InputError):
            load_network(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_network(tmp_path / "absent.onnx")
    with pytest.raises(InputError, match="is a folder"):
        load_network(str(tmp_path))


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("name", ["m.pt", "m.pth", "m.pkl", "m.PT", "m.pkl.gz"])
def test_pickles_are_never_loaded(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="export it to ONNX"):
        load_network(path)


def external(path: Path, location: str) -> Path:
    perceptron(path)
    model = onnx.load_model_from_string(path.read_bytes())
    tensor = model.graph.initializer[0]
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())
    target = path.parent / location
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(data)
    return path


def test_external_data_beside_the_model(tmp_path: Path) -> None:
    path = external(tmp_path / "m.onnx", "weights/m.bin")
    network = agrees(path)
    data = path.parent / "weights/m.bin"
    assert network.sha256 == hashlib.sha256(path.read_bytes() + data.read_bytes()).hexdigest()
    data.write_bytes(np.zeros(12, dtype=np.float32).tobytes())
    assert load_network(path).sha256 != network.sha256


def test_external_data_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = external(folder / "m.onnx", "../secret.bin")
    with pytest.raises(InputError, match="outside the model's folder"):
        load_network(path)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    model = onnx.load_model_from_string(path.read_bytes())
    model.graph.initializer[0].external_data[0].value = "link.bin"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="outside the model's folder"):
        load_network(path)


def test_missing_external_data(tmp_path: Path) -> None:
    path = external(tmp_path / "m.onnx", "m.bin")
    (tmp_path / "m.bin").unlink()
    with pytest.raises(InputError, match=r"needs the data file 'm\.bin'"):
        load_network(path)


def test_local_functions_are_inlined(tmp_path: Path) -> None:
    body = [helper.make_node("Neg", ["a"], ["b"]), helper.make_node("Relu", ["b"], ["c"])]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    function = helper.make_function("mine", "NegRelu", ["a"], ["c"], body, opsets[:1])
    info = [helper.make_tensor_value_info(name, 1, (1, 3)) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("NegRelu", ["x"], ["y"], domain="mine")], "g", info[:1], info[1:])
    model = helper.make_model(graph, opset_imports=opsets, functions=[function], ir_version=8)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert agrees(path).relu_count == 3


def test_unknown_domain_is_refused(tmp_path: Path) -> None:
    alien = helper.make_node("Relu", ["x"], ["y"], domain="com.example")
    with pytest.raises(UnsupportedOperatorError, match="not an operator netopt knows"):
        load_network(write_model(tmp_path / "m.onnx", [alien], {"x": (3,)}))


def test_object_of_another_kind() -> None:
    with pytest.raises(InputError, match="cannot be read from a dict"):
        load_network({})


def test_replay_notices_a_changed_file(tmp_path: Path) -> None:
    path = perceptron(tmp_path / "m.onnx")
    network = load_network(path)
    perceptron(path, seed=12)
    with pytest.raises(InputError, match="has changed since"):
        OnnxReplay(network)


def test_replay_needs_a_file_and_rows() -> None:
    from netopt.network.build import from_weights

    with pytest.raises(InputError, match="made in memory"):
        OnnxReplay(from_weights([[[1.0]]], [[0.0]]))


def test_replay_checks_the_size_of_points(tmp_path: Path) -> None:
    replay = OnnxReplay(load_network(perceptron(tmp_path / "m.onnx")))
    assert replay.forward(np.zeros((0, 3))).shape == (0, 2)
    assert replay.forward(np.zeros(3)).shape == (1, 2)
    with pytest.raises(InputError, match="takes 3 inputs"):
        replay.forward(np.zeros((2, 4)))


def test_sparse_initialiser_is_read(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", [node("MatMul", "x w")], {"x": (1, 3)})
    model = onnx.load_model_from_string(path.read_bytes())
    values = numpy_helper.from_array(np.array([2.0, -1.0], dtype=np.float32), "w")
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([[0, 1], [2, 0]]), "i"), [3, 2])
    )
    path.write_bytes(model.SerializeToString())
    assert load_network(path).forward([1.0, 5.0, 3.0]).tolist() == [-3.0, 2.0]
