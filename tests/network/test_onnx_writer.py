from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_models import node, write_model
from scipy import sparse

from netopt.errors import InputError, InvalidOptionError
from netopt.network.build import from_weights
from netopt.network.composition import selection
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.identity import Identity
from netopt.network.load import load_network
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Relu
from netopt.network.onnx_reader.model_file import read_model
from netopt.network.onnx_writer import write_onnx
from netopt.network.replay import OnnxReplay
from netopt.network.sparse import Sparse

RNG = np.random.default_rng(2)


def round_trip(network: Network, path: Path, dtype: str = "float64") -> Network:
    """Write, read and run a network; return what was read."""
    write_onnx(network, path, dtype=dtype)
    onnx.checker.check_model(onnx.load_model_from_string(read_model(path).content), full_check=True)
    found = load_network(path)
    points = RNG.normal(size=(6, network.input_size)).astype(dtype)
    expected = network.forward(points)
    tolerance = (1e-13 if dtype == "float64" else 1e-6) * (1.0 + np.abs(expected).max())
    np.testing.assert_allclose(found.forward(points), expected, rtol=0.0, atol=tolerance)
    np.testing.assert_allclose(OnnxReplay(found).forward(points), expected, rtol=0.0, atol=5.0 * tolerance)
    return found


def random_perceptron() -> Network:
    return from_weights([RNG.normal(size=(5, 3)), RNG.normal(size=(2, 5))], [RNG.normal(size=5), np.zeros(2)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_perceptron(dtype: str, tmp_path: Path) -> None:
    network = random_perceptron()
    found = round_trip(network, tmp_path / "m.onnx", dtype)
    assert [node.name for node in found.nodes] == [node.name for node in network.nodes]
    assert [spec.dtype for spec in found.inputs] == [dtype]


def test_compressed_file_is_reproducible(tmp_path: Path) -> None:
    network = random_perceptron()
    round_trip(network, tmp_path / "a.onnx.gz")
    write_onnx(network, tmp_path / "b.onnx.gz", dtype="float64")
    first = (tmp_path / "a.onnx.gz").read_bytes()
    assert first == (tmp_path / "b.onnx.gz").read_bytes()
    assert gzip.decompress(first)[:1] == b"\x08"


def test_residual_convolutions_keep_their_structure(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x u b", "a", pads=[1, 1, 1, 1]),
        node("Relu", "a", "r"),
        node("Conv", "r v", "c", pads=[1, 1, 1, 1], group=2),
        node("Relu", "c", "i"),
        node("Conv", "i v b", "j", pads=[1, 1, 1, 1], group=2),
        node("Add", "j r", "d"),
        node("Relu", "d", "q"),
        node("Flatten", "q", "f"),
        node("Gemm", "f w e"),
    ]
    constants = {
        "u": RNG.normal(size=(4, 2, 3, 3)),
        "b": RNG.normal(size=4),
        "v": RNG.normal(size=(4, 2, 3, 3)),
        "w": RNG.normal(size=(80, 3)),
        "e": RNG.normal(size=3),
    }
    network = load_network(
        write_model(tmp_path / "m.onnx", nodes, {"x": ("n", 2, 4, 5)}, constants=constants, opset=13)
    )
    found = round_trip(network, tmp_path / "n.onnx", "float32")
    kinds = [[type(linear_map) for linear_map in affine.maps] for affine in found.affines]
    assert kinds == [[Convolution], [Convolution], [Convolution, Identity], [Dense]]
    written = onnx.load(tmp_path / "n.onnx").graph
    assert sum(node.op_type == "Conv" for node in written.node) == 3
    assert [axis.dim_param or axis.dim_value for axis in written.input[0].type.tensor_type.shape.dim] == [
        "batch",
        2,
        4,
        5,
    ]


def test_bias_that_differs_within_a_channel(tmp_path: Path) -> None:
    conv = Convolution(RNG.normal(size=(2, 1, 2, 2)), (1, 3, 3))
    affine = Affine("output.affine", (INPUT,), (conv,), RNG.normal(size=8))
    network = Network((affine,), "output.affine", (TensorSpec("X", (1, 1, 3, 3)),), (TensorSpec("Y", (1, 2, 2, 2)),))
    round_trip(network, tmp_path / "m.onnx", "float32")


def test_several_tensors_without_batch_axis(tmp_path: Path) -> None:
    affine = Affine("a", (INPUT,), (Dense(RNG.normal(size=(4, 5))),), RNG.normal(size=4))
    relu = Relu("r", "a", 4)
    last = Affine(
        "o", (INPUT, "r"), (Dense(RNG.normal(size=(5, 5))), Sparse(sparse.csr_array(np.eye(5, 4)))), np.zeros(5)
    )
    inputs = (TensorSpec("net.r", (2,)), TensorSpec("input", (3, 1)))
    network = Network((affine, relu, last), "o", inputs, (TensorSpec("a", (2, 2)), TensorSpec("o", ())))
    found = round_trip(network, tmp_path / "m.onnx")
    assert (found.inputs[0].shape, found.inputs[1].shape) == ((2,), (3, 1))
    assert [spec.shape for spec in found.outputs] == [(2, 2), ()]


@pytest.mark.parametrize("bias", [0.0, 1.5])
def test_copies(bias: float, tmp_path: Path) -> None:
    copy = Affine("layer1.affine", (INPUT,), (Identity(3),), np.full(3, bias))
    network = Network(
        (copy, Relu("layer1.relu", "layer1.affine", 3)),
        "layer1.relu",
        (TensorSpec("X", (1, 3)),),
        (TensorSpec("Y", (1, 3)),),
    )
    assert round_trip(network, tmp_path / "m.onnx").relu_count == 3


def test_pruned_weights_are_written_densely(tmp_path: Path) -> None:
    weight = RNG.normal(size=(60, 50)) * (RNG.random((60, 50)) < 0.02)
    affine = Affine("output.affine", (INPUT,), (Sparse(sparse.csr_array(weight)),), RNG.normal(size=60))
    network = Network((affine,), "output.affine", (TensorSpec("X", (1, 50)),), (TensorSpec("Y", (1, 60)),))
    found = round_trip(network, tmp_path / "m.onnx")
    assert [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node] == ["Reshape", "Gemm", "Reshape"]
    assert isinstance(found.affines[0].maps[0], Sparse)


def test_large_selections_stay_small(tmp_path: Path) -> None:
    size = 20_000
    index = RNG.permutation(size)
    index[::3] = -1
    shuffled = selection(index, size)
    mixed = Sparse(sparse.csr_array(shuffled.weight + 2.0 * Identity(size).weight))
    affine = Affine("output.affine", (INPUT,), (mixed,), np.zeros(size))
    network = Network((affine,), "output.affine", (TensorSpec("X", (1, size)),), (TensorSpec("Y", (1, size)),))
    found = round_trip(network, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").stat().st_size < 1_000_000
    assert found.affines[0].maps[0].parameters == mixed.parameters


def test_weights_beyond_float32(tmp_path: Path) -> None:
    network = from_weights([[[1e39]]], [[0.0]])
    with pytest.raises(InputError, match="beyond the range of float32; write it as float64"):
        write_onnx(network, tmp_path / "m.onnx")
    round_trip(network, tmp_path / "m.onnx")


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError, match="'float16' is unknown"):
        write_onnx(random_perceptron(), tmp_path / "m.onnx", dtype="float16")
    with pytest.raises(InputError, match="cannot be written"):
        write_onnx(random_perceptron(), tmp_path / "absent" / "m.onnx")


def residual_cnn(path: Path) -> Path:
    """Write a network of 3072 inputs and 11 520 ReLUs: a stem and residual blocks, as on CIFAR."""
    nodes = [node("Conv", "x w0 b0", "c0", strides=[2, 2], pads=[1, 1, 1, 1]), node("Relu", "c0", "r0")]
    constants = {"w0": RNG.normal(size=(10, 3, 3, 3)) * 0.2, "b0": RNG.normal(size=10)}
    stream, channels = "r0", 10
    for k, (out, stride) in enumerate([(10, 1), (20, 2), (40, 2)], start=1):
        constants |= {
            f"w{k}": RNG.normal(size=(out, channels, 3, 3)) * 0.1,
            f"b{k}": RNG.normal(size=out),
            f"v{k}": RNG.normal(size=(out, out, 3, 3)) * 0.1,
            f"s{k}": RNG.normal(size=(out, channels, 1, 1)) * 0.3,
        }
        pads, strides = [1, 1, 1, 1], [stride, stride]
        nodes += [
            node("Conv", f"{stream} w{k} b{k}", f"a{k}", strides=strides, pads=pads),
            node("Relu", f"a{k}", f"h{k}"),
            node("Conv", f"h{k} v{k}", f"g{k}", pads=pads),
        ]
        skip = stream
        if stride > 1:
            nodes.append(node("Conv", f"{stream} s{k}", f"t{k}", strides=strides))
            skip = f"t{k}"
        nodes += [node("Add", f"g{k} {skip}", f"d{k}"), node("Relu", f"d{k}", f"r{k}")]
        stream, channels = f"r{k}", out
    nodes += [node("AveragePool", stream, "p", kernel_shape=[4, 4]), node("Flatten", "p", "f"), node("Gemm", "f w b")]
    constants |= {"w": RNG.normal(size=(40, 10)), "b": RNG.normal(size=10)}
    return write_model(path, nodes, {"x": (1, 3, 32, 32)}, constants=constants, opset=13)


def test_large_residual_network_stays_small_in_memory(tmp_path: Path) -> None:
    path = residual_cnn(tmp_path / "m.onnx")
    tracemalloc.start()
    try:
        network = load_network(path)
        write_onnx(network, tmp_path / "n.onnx")
        _, peak = tracemalloc.get_traced_memory()
        assert peak < 60_000_000
        for affine in network.affines:
            for linear_map in affine.maps:
                linear_map.apply_transpose(np.ones((50, affine.size)))
                assert linear_map.to_csr().nnz < 500_000
        _, peak = tracemalloc.get_traced_memory()
        assert peak < 300_000_000
    finally:
        tracemalloc.stop()
    assert (network.input_size, network.relu_count) == (3072, 11520)
    points = RNG.random((3, 3072)).astype(np.float32)
    expected = OnnxReplay(network).forward(points)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(network.forward(points), expected, atol=1e-5 * scale)
    np.testing.assert_allclose(load_network(tmp_path / "n.onnx").forward(points), expected, atol=1e-5 * scale)
