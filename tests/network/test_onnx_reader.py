"""Files, graphs and names: what is read, what is refused, and with which words."""

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
from onnx_models import agrees, node, write_model

from netopt.errors import InputError, InvalidOptionError, UnsupportedOperatorError
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.load import load_network
from netopt.network.replay import OnnxReplay

RNG = np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def perceptron(path: Path, **options: Any) -> Path:
    nodes = [node("Gemm", "x w b", "a"), node("Relu", "a", "r"), node("Gemm", "r v c")]
    constants = {"w": normal(3, 4), "b": normal(4), "v": normal(4, 2), "c": normal(2)}
    return write_model(path, nodes, {"x": (1, 3)}, constants=constants, **options)


def names(path: Path) -> list[str]:
    return [found.name for found in load_network(path).nodes]


# names and digests


def test_names_digest_and_source(tmp_path: Path) -> None:
    path = perceptron(tmp_path / "m.onnx")
    network = agrees(path)
    assert [found.name for found in network.nodes] == ["layer1.affine", "layer1.relu", "output.affine"]
    assert network.source == path
    assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_compressed_file_has_the_digest_of_its_content(tmp_path: Path) -> None:
    path = perceptron(tmp_path / "m.onnx")
    packed = tmp_path / "m.onnx.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert agrees(packed).sha256 == load_network(path).sha256


def test_network_is_its_own_source() -> None:
    from netopt.network.build import from_weights

    network = from_weights([[[1.0]]], [[0.0]])
    assert load_network(network) is network


# several tensors


def test_several_inputs_are_one_vector(tmp_path: Path) -> None:
    nodes = [node("Gemm", "x w", "a"), node("Relu", "z", "r"), node("Reshape", "r s", "f"), node("Add", "a f")]
    constants = {"w": normal(3, 4), "s": np.array([1, 4])}
    network = agrees(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 3), "z": (2, 2)}, constants=constants))
    assert [spec.name for spec in network.inputs] == ["x", "z"]
    assert network.input_size == 7


def test_several_outputs_are_one_vector(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "r"), node("Gemm", "r w", "y"), node("Neg", "x", "z"), node("Identity", "r", "q")]
    path = write_model(tmp_path / "m.onnx", nodes, {"x": (1, 3)}, ("z", "y", "q"), {"w": normal(3, 2)})
    network = agrees(path)
    assert [(spec.name, spec.shape) for spec in network.outputs] == [("z", (1, 3)), ("y", (1, 2)), ("q", (1, 3))]


def test_constant_output(tmp_path: Path) -> None:
    nodes = [node("Sub", "x x", "a"), node("Relu", "a", "r"), node("Add", "r c")]
    network = agrees(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 3)}, constants={"c": normal(3)}))
    assert network.relu_count == 0


def test_output_is_the_input(tmp_path: Path) -> None:
    assert names(write_model(tmp_path / "m.onnx", [node("Identity", "x")], {"x": (2,)})) == ["output.affine"]


def test_what_the_output_does_not_need_is_left_out(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "unused"), node("Neg", "x")]
    assert names(write_model(tmp_path / "m.onnx", nodes, {"x": (2,)})) == ["output.affine"]


def test_relu_at_the_end_is_the_output(tmp_path: Path) -> None:
    network = agrees(write_model(tmp_path / "m.onnx", [node("Neg", "x", "a"), node("Relu", "a")], {"x": (1, 2)}))
    assert network.output == "layer1.relu"


def test_initialisers_listed_as_inputs_are_constants(tmp_path: Path) -> None:
    path = perceptron(tmp_path / "m.onnx")
    model = onnx.load_model_from_string(path.read_bytes())
    model.graph.input.append(helper.make_tensor_value_info("w", 1, (3, 4)))
    path.write_bytes(model.SerializeToString())
    assert agrees(path).input_size == 3


# biases


def test_missing_bias_is_zero_whatever_the_layer_before_had(tmp_path: Path) -> None:
    nodes = [node("Gemm", "x w b", "a"), node("Relu", "a", "r"), node("Gemm", "r v", "d"), node("Gemm", "d v b")]
    constants = {"w": normal(3, 3), "b": normal(3) + 5.0, "v": normal(3, 3)}
    network = agrees(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 3)}, constants=constants))
    assert network.relu_count == 3


def test_shared_weights_and_bias(tmp_path: Path) -> None:
    nodes = [node("Gemm", "x w b", "a"), node("Relu", "a", "r"), node("Gemm", "r w b", "d"), node("Relu", "d")]
    network = agrees(
        write_model(tmp_path / "m.onnx", nodes, {"x": (1, 3)}, constants={"w": normal(3, 3), "b": normal(3)})
    )
    np.testing.assert_array_equal(network.affines[0].bias, network.affines[1].bias)


def test_convolution_keeps_its_bias(tmp_path: Path) -> None:
    constants = {"w": np.zeros((2, 1, 2, 2)), "b": np.array([3.0, -4.0])}
    path = write_model(tmp_path / "m.onnx", [node("Conv", "x w b")], {"x": (1, 1, 3, 3)}, constants=constants)
    assert load_network(path).forward(np.ones(9)).tolist() == [3.0] * 4 + [-4.0] * 4


# structure


def test_normalisation_is_folded_into_convolutions_on_both_sides(tmp_path: Path) -> None:
    nodes = [
        node("Sub", "x mean", "centered"),
        node("Div", "centered std", "scaled"),
        node("Conv", "scaled w", "c"),
        node("BatchNormalization", "c s b m v", "n"),
        node("Relu", "n"),
    ]
    constants = {
        "mean": normal(1, 2, 1, 1),
        "std": np.array([0.5, 2.0]).reshape(1, 2, 1, 1),
        "w": normal(3, 2, 3, 3),
        "s": normal(3),
        "b": normal(3),
        "m": normal(3),
        "v": RNG.random(3) + 0.1,
    }
    network = agrees(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 2, 5, 5)}, constants=constants))
    assert [type(affine.maps[0]) for affine in network.affines] == [Convolution]


def test_padding_before_a_convolution_becomes_its_own(tmp_path: Path) -> None:
    nodes = [node("Pad", "x p", "padded"), node("Conv", "padded w")]
    constants = {"p": np.array([0, 0, 1, 2, 0, 0, 0, 1]), "w": normal(2, 2, 3, 3)}
    network = agrees(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 2, 4, 4)}, constants=constants, opset=13))
    found = network.affines[0].maps[0]
    assert isinstance(found, Convolution)
    assert found.pads == (1, 2, 0, 1)


def test_concatenated_channels_feed_one_affine(tmp_path: Path) -> None:
    nodes = [
        node("Relu", "x", "a"),
        node("Conv", "a u", "b"),
        node("Relu", "b", "r"),
        node("Concat", "a r", "joined", axis=1),
        node("Conv", "joined w"),
    ]
    constants = {"u": normal(3, 2, 1, 1), "w": normal(2, 5, 2, 2)}
    network = agrees(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 2, 4, 4)}, constants=constants, opset=13))
    last = network[network.output]
    assert last.inputs == ("layer1.relu", "layer2.relu")
    assert all(isinstance(linear_map, Convolution) for linear_map in last.maps)


def test_flattened_and_transposed_layers_vanish_into_the_next(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x u", "a"),
        node("Relu", "a", "r"),
        node("Transpose", "r", "t", perm=[0, 2, 3, 1]),
        node("Flatten", "t", "f"),
        node("Gemm", "f w"),
    ]
    constants = {"u": normal(2, 1, 2, 2), "w": normal(18, 3)}
    network = agrees(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 1, 4, 4)}, constants=constants))
    assert [type(affine.maps[0]) for affine in network.affines] == [Convolution, Dense]


def test_residual_stream_is_not_multiplied_out(tmp_path: Path) -> None:
    nodes, constants, stream = [], {}, "x"
    for k in range(6):
        constants[f"w{k}"] = normal(4, 4)
        nodes += [
            node("Relu", stream, f"r{k}"),
            node("Gemm", f"r{k} w{k}", f"g{k}"),
            node("Add", f"{stream} g{k}", f"s{k}"),
        ]
        stream = f"s{k}"
    network = agrees(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 4)}, (stream,), constants))
    assert max(len(affine.inputs) for affine in network.affines) == 2


def test_branches_of_one_source_are_added(tmp_path: Path) -> None:
    nodes = [
        node("Relu", "x", "r"),
        node("Conv", "r w", "a"),
        node("Conv", "r v b", "c", pads=[1, 1, 1, 1]),
        node("Add", "a c", "d"),
        node("Add", "d r"),
    ]
    constants = {"w": normal(2, 2, 1, 1), "v": normal(2, 2, 3, 3), "b": normal(2)}
    network = agrees(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 2, 3, 3)}, constants=constants))
    for affine in network.affines:
        assert len(set(affine.inputs)) == len(affine.inputs)


def test_dense_chain_is_merged_only_where_it_does_not_grow(tmp_path: Path) -> None:
    wide = [node("MatMul", "x u", "a"), node("MatMul", "a v")]
    constants = {"u": normal(600, 2), "v": normal(2, 600)}
    network = agrees(write_model(tmp_path / "m.onnx", wide, {"x": (1, 600)}, constants=constants))
    assert network.parameters < 3200
    constants = {"u": normal(20, 20), "v": normal(20, 5)}
    assert names(write_model(tmp_path / "n.onnx", wide, {"x": (1, 20)}, constants=constants)) == ["output.affine"]


def test_maximum_pool_is_as_deep_as_a_logarithm(tmp_path: Path) -> None:
    nodes = [node("MaxPool", "x", kernel_shape=[4, 4], strides=[4, 4])]
    network = agrees(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 1, 4, 4)}))
    assert [relu.size for relu in network.relus] == [8, 4, 2, 1]


# softmax


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


# refusals


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
    ],
)
def test_what_is_not_piecewise_linear_is_refused(nodes: list[onnx.NodeProto], message: str, tmp_path: Path) -> None:
    reshape = node("Reshape", "x s", "i")
    constants = {"c": normal(3), "s": np.array([1, 1, 3])}
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


# files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"not a model at all", "is not an ONNX file"),
        (gzip.compress(b"x" * 1000)[:20], "damaged gzip"),
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
    perceptron(path)
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
