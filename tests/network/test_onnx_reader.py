"""Names, digests, several tensors, biases and the structure of what is read."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import helper
from onnx_models import agrees, names, node, perceptron, write_model

from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.load import load_network

RNG = np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


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
