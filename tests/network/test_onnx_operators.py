"""Every operator and attribute against onnxruntime; convolutions and pools have a file of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import LATEST, agrees, node, write_model

RNG = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def integers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


#: name -> nodes, shape of x, constants, opset
CASES: dict[str, tuple[Any, tuple[int, ...], dict[str, Any], int]] = {
    # matrices
    "gemm": ([node("Gemm", "x w b", transB=1)], (1, 4), {"w": normal(3, 4), "b": normal(3)}, 9),
    "gemm without bias": ([node("Gemm", "x w")], (1, 4), {"w": normal(4, 3)}, 11),
    "gemm alpha beta": (
        [node("Gemm", "x w b", alpha=0.5, beta=-2.0)],
        (1, 4),
        {"w": normal(4, 3), "b": normal(1, 3)},
        7,
    ),
    "gemm beta zero": ([node("Gemm", "x w b", beta=0.0)], (1, 4), {"w": normal(4, 3), "b": normal(3)}, 13),
    "gemm scalar bias": ([node("Gemm", "x w b")], (2, 4), {"w": normal(4, 3), "b": np.float64(0.5)}, 13),
    "gemm column bias": ([node("Gemm", "x w b")], (2, 4), {"w": normal(4, 3), "b": normal(2, 1)}, 13),
    "gemm transA": ([node("Gemm", "x w b", transA=1)], (4, 2), {"w": normal(4, 3), "b": normal(3)}, 13),
    "gemm input right": ([node("Gemm", "w x")], (4, 2), {"w": normal(3, 4)}, 13),
    "gemm input right transposed": ([node("Gemm", "w x", transB=1, transA=1)], (2, 4), {"w": normal(4, 3)}, 13),
    "gemm input is bias": ([node("Gemm", "w v x", beta=3.0)], (1, 2), {"w": normal(4, 3), "v": normal(3, 2)}, 13),
    "matmul": ([node("MatMul", "x w")], (1, 4), {"w": normal(4, 3)}, 9),
    "matmul vector": ([node("MatMul", "x w")], (4,), {"w": normal(4, 3)}, 9),
    "matmul dot": ([node("MatMul", "x w")], (1, 4), {"w": normal(4)}, 13),
    "matmul vector vector": ([node("MatMul", "x w")], (4,), {"w": normal(4)}, 13),
    "matmul rows": ([node("MatMul", "x w")], (2, 3, 4), {"w": normal(4, 5)}, 13),
    "matmul stack": ([node("MatMul", "x w")], (1, 2, 3, 4), {"w": normal(2, 4, 5)}, 13),
    "matmul stack broadcast": ([node("MatMul", "x w")], (3, 4), {"w": normal(2, 1, 4, 5)}, 13),
    "matmul right": ([node("MatMul", "w x")], (4, 1), {"w": normal(3, 4)}, 13),
    "matmul right stack": ([node("MatMul", "w x")], (2, 4, 3), {"w": normal(2, 5, 4)}, 13),
    "matmul right vector": ([node("MatMul", "w x")], (4,), {"w": normal(2, 3, 4)}, 13),
    "matmul sparse": ([node("MatMul", "x w")], (1, 90), {"w": normal(90, 60) * (RNG.random((90, 60)) < 0.02)}, 13),
    "matmul zero": ([node("MatMul", "x w")], (1, 4), {"w": np.zeros((4, 3))}, 13),
    # arithmetic
    "add": ([node("Add", "x c")], (1, 3, 2), {"c": normal(2)}, 13),
    "add left": ([node("Add", "c x")], (1, 3, 2), {"c": normal(3, 1)}, 13),
    "add widens": ([node("Add", "x c")], (3, 1), {"c": normal(2, 3, 4)}, 13),
    "add itself": ([node("Add", "x x")], (3,), {}, 13),
    "sub": ([node("Sub", "x c")], (1, 1, 1, 5), {"c": normal(5)}, 8),
    "sub left": ([node("Sub", "c x")], (1, 5), {"c": normal(5)}, 8),
    "sub itself": ([node("Sub", "x x")], (3,), {}, 13),
    "mul": ([node("Mul", "x c")], (2, 3), {"c": normal(3)}, 13),
    "mul left scalar": ([node("Mul", "c x")], (2, 3), {"c": np.float64(-1.5)}, 13),
    "mul zero": ([node("Mul", "x c")], (1, 3), {"c": np.array([0.0, 1.0, 0.0])}, 13),
    "div": ([node("Div", "x c")], (2, 3), {"c": normal(2, 1) + 3.0}, 7),
    "neg": ([node("Neg", "x")], (2, 3), {}, 13),
    "sum": ([node("Sum", "x c x d")], (2, 3), {"c": normal(3), "d": normal(2, 1)}, 13),
    "mean": ([node("Mean", "x c d")], (2, 3), {"c": normal(3), "d": normal(2, 1)}, 13),
    "batch normalisation": (
        [node("BatchNormalization", "x s b m v", epsilon=0.01)],
        (1, 3, 2, 2),
        {"s": normal(3), "b": normal(3), "m": normal(3), "v": RNG.random(3)},
        15,
    ),
    "batch normalisation of vectors": (
        [node("BatchNormalization", "x s b m v")],
        (1, 3),
        {"s": normal(3), "b": normal(3), "m": normal(3), "v": RNG.random(3)},
        9,
    ),
    "batch normalisation opset 7": (
        [node("BatchNormalization", "x s b m v")],
        (1, 3, 4),
        {"s": normal(3), "b": normal(3), "m": normal(3), "v": RNG.random(3)},
        7,
    ),
    # activations
    "relu": ([node("Relu", "x")], (2, 3), {}, 14),
    "relu twice": ([node("Relu", "x", "a"), node("Relu", "a")], (2, 3), {}, 14),
    "leaky relu": ([node("LeakyRelu", "x", alpha=0.3)], (2, 3), {}, 16),
    "leaky relu default": ([node("LeakyRelu", "x")], (2, 3), {}, 7),
    "leaky relu above one": ([node("LeakyRelu", "x", alpha=2.0)], (2, 3), {}, 16),
    "prelu channel": ([node("PRelu", "x s")], (1, 2, 2, 3), {"s": normal(2, 1, 1)}, 16),
    "prelu one": ([node("PRelu", "x s")], (1, 4), {"s": normal(1)}, 7),
    "abs": ([node("Abs", "x")], (2, 3), {}, 13),
    "clip attributes": ([node("Clip", "x", min=-0.5, max=1.0)], (6,), {}, 7),
    "clip minimum only": ([node("Clip", "x", min=-0.5)], (6,), {}, 10),
    "clip inputs": ([node("Clip", "x l h")], (6,), {"l": np.float64(0.0), "h": np.float64(1.0)}, 12),
    "clip maximum only": ([node("Clip", ["x", "", "h"])], (6,), {"h": np.float64(1.0)}, 13),
    "clip low only": ([node("Clip", "x l")], (6,), {"l": np.float64(-1.0)}, 13),
    "clip crossed": ([node("Clip", "x l h")], (6,), {"l": np.float64(1.0), "h": np.float64(0.0)}, 13),
    "clip nothing": ([node("Clip", "x")], (6,), {}, 13),
    "clip infinite": ([node("Clip", "x l h")], (6,), {"l": np.float64(-np.inf), "h": np.float64(np.inf)}, 13),
    "hard sigmoid": ([node("HardSigmoid", "x")], (6,), {}, 6 + 1),
    "hard sigmoid slope": ([node("HardSigmoid", "x", alpha=0.6, beta=0.1)], (6,), {}, 13),
    "max": ([node("Max", "x c d")], (2, 3), {"c": normal(3), "d": normal(2, 1)}, 13),
    "max of one": ([node("Max", "x")], (3,), {}, 8),
    "min": ([node("Min", "c x")], (2, 3), {"c": normal(3)}, 8),
    "hard tanh by min and max": (
        [node("Min", "x h", "a"), node("Max", "a l")],
        (5,),
        {"h": np.float64(1.0), "l": np.float64(-1.0)},
        13,
    ),
    # reductions
    "reduce sum attribute": ([node("ReduceSum", "x", axes=[1])], (2, 3, 2), {}, 11),
    "reduce sum input": ([node("ReduceSum", "x a", keepdims=0)], (2, 3, 2), {"a": integers(-1, 0)}, 13),
    "reduce sum all": ([node("ReduceSum", "x", keepdims=0)], (2, 3, 2), {}, 13),
    "reduce sum of nothing": ([node("ReduceSum", "x", noop_with_empty_axes=1)], (2, 3), {}, 13),
    "reduce mean attribute": ([node("ReduceMean", "x", axes=[-1, 2], keepdims=0)], (1, 2, 3, 2), {}, 13),
    "reduce mean input": ([node("ReduceMean", "x a")], (1, 2, 3, 2), {"a": integers(2, 3)}, 18),
    "reduce max": ([node("ReduceMax", "x", axes=[1], keepdims=0)], (2, 5, 2), {}, 12),
    "reduce max input": ([node("ReduceMax", "x a")], (2, 5, 2), {"a": integers(1, 2)}, 18),
    "reduce min": ([node("ReduceMin", "x", axes=[0])], (3, 2), {}, 13),
    "reduce absolute sum": ([node("ReduceL1", "x", axes=[1])], (2, 5, 2), {}, 13),
    "reduce absolute sum input": ([node("ReduceL1", "x a", keepdims=0)], (2, 5, 2), {"a": integers(1, 2)}, 18),
    "cumulative sum": ([node("CumSum", "x a")], (2, 3, 4), {"a": np.array(1)}, 13),
    "cumulative sum reversed": ([node("CumSum", "x a", reverse=1, exclusive=1)], (2, 3), {"a": np.array(-1)}, 14),
    # sums of products
    "einsum": ([node("Einsum", "x w", equation="bi, ij -> bj")], (2, 4), {"w": normal(4, 3)}, 13),
    "einsum constant first": ([node("Einsum", "w x", equation="kij,bj->bki")], (2, 4), {"w": normal(2, 3, 4)}, 13),
    "einsum of three": (
        [node("Einsum", "w x v", equation="i,bij,j->b")],
        (2, 3, 4),
        {"w": normal(3), "v": normal(4)},
        13,
    ),
    "einsum trace": ([node("Einsum", "x", equation="bii->b")], (2, 3, 3), {}, 13),
    "einsum transposes": ([node("Einsum", "x", equation="ij->ji")], (2, 3), {}, 13),
    # moves
    "upper triangle": ([node("Trilu", "x k")], (2, 3, 4), {"k": np.array(1)}, 14),
    "lower triangle": ([node("Trilu", "x", upper=0)], (3, 4), {}, 14),
    "flatten": ([node("Flatten", "x")], (1, 2, 3, 2), {}, 9),
    "flatten negative": ([node("Flatten", "x", axis=-1)], (1, 2, 3, 2), {}, 13),
    "reshape": ([node("Reshape", "x s")], (1, 2, 3, 2), {"s": integers(0, -1)}, 13),
    "transpose": ([node("Transpose", "x", perm=[0, 2, 3, 1])], (1, 2, 3, 2), {}, 13),
    "transpose reverse": ([node("Transpose", "x")], (2, 3, 2), {}, 13),
    "squeeze attribute": ([node("Squeeze", "x", axes=[0, 2])], (1, 2, 1, 2), {}, 11),
    "squeeze input": ([node("Squeeze", "x a")], (1, 2, 1, 2), {"a": integers(-2)}, 13),
    "squeeze all": ([node("Squeeze", "x")], (1, 2, 1, 2), {}, 13),
    "unsqueeze attribute": ([node("Unsqueeze", "x", axes=[0, 3])], (2, 3), {}, 11),
    "unsqueeze input": ([node("Unsqueeze", "x a")], (2, 3), {"a": integers(-1, 0)}, 13),
    "slice attributes": ([node("Slice", "x", axes=[1], starts=[1], ends=[3])], (2, 4), {}, 9),
    "slice inputs": (
        [node("Slice", "x s e a t")],
        (2, 6),
        {"s": integers(-1), "e": integers(-7), "a": integers(1), "t": integers(-2)},
        13,
    ),
    "slice without axes": ([node("Slice", "x s e")], (4, 6), {"s": integers(1, 2), "e": integers(3, 99)}, 10),
    "gather": ([node("Gather", "x i", axis=1)], (2, 4), {"i": np.array([[0, 3], [-1, 1]])}, 13),
    "gather scalar": ([node("Gather", "x i", axis=-1)], (2, 4), {"i": np.array(2)}, 13),
    "split attribute": (
        [node("Split", "x", "a b", axis=1, split=[1, 3]), node("Concat", "b a", axis=1)],
        (2, 4),
        {},
        11,
    ),
    "split input": (
        [node("Split", "x s", "a b", axis=-1), node("Concat", "b a", axis=-1)],
        (2, 4),
        {"s": integers(1, 3)},
        13,
    ),
    "split evenly": ([node("Split", "x", "a b", axis=1, num_outputs=2), node("Sub", "a b")], (2, 4), {}, 18),
    "split uneven": (
        [node("Split", "x", "a b", axis=1, num_outputs=2), node("Concat", "b a", axis=1)],
        (2, 5),
        {},
        18,
    ),
    "concat with constants": ([node("Concat", "c x x d", axis=1)], (2, 2), {"c": normal(2, 1), "d": normal(2, 3)}, 13),
    "expand": ([node("Expand", "x s")], (2, 1), {"s": integers(3, 2, 4)}, 13),
    "tile": ([node("Tile", "x r")], (2, 3), {"r": integers(2, 2)}, 13),
    "depth to space": ([node("DepthToSpace", "x", blocksize=2, mode="CRD")], (1, 8, 2, 3), {}, 13),
    "space to depth": ([node("SpaceToDepth", "x", blocksize=2)], (1, 2, 4, 2), {}, 13),
    "gather elements": ([node("GatherElements", "x i", axis=1)], (2, 3), {"i": np.array([[2, 0], [1, 1]])}, 13),
    "gather nd": ([node("GatherND", "x i")], (2, 3), {"i": np.array([[1, 2], [0, 0]])}, 13),
    "compress": ([node("Compress", "x m", axis=1)], (2, 3), {"m": np.array([True, False, True])}, 13),
    "reverse sequence": (
        [node("ReverseSequence", "x l", batch_axis=0, time_axis=1)],
        (2, 4),
        {"l": integers(4, 3)},
        13,
    ),
    "scatter elements": (
        [node("ScatterElements", "x i u", axis=1)],
        (2, 4),
        {"i": np.array([[1], [-2]]), "u": normal(2, 1)},
        13,
    ),
    "scatter into constants": ([node("ScatterND", "c i x")], (1, 4), {"i": np.array([[1]]), "c": normal(3, 4)}, 13),
    "scatter itself": (
        [node("Neg", "x", "n"), node("Slice", "n s e a", "p"), node("ScatterND", "x i p")],
        (3, 2),
        {"i": np.array([[2], [0]]), "s": integers(0), "e": integers(2), "a": integers(0)},
        18,
    ),
    "channels of a grouped convolution": (
        [node("Conv", "x w", "c", group=2), node("Slice", "c s e a")],
        (1, 2, 3, 3),
        {"w": normal(4, 1, 2, 2), "s": integers(1), "e": integers(3), "a": integers(1)},
        13,
    ),
    "where": ([node("Where", "m x c")], (2, 3), {"m": np.array([True, False, True]), "c": normal(2, 1)}, 16),
    "pad attribute": ([node("Pad", "x", pads=[0, 1, 0, 2], value=0.7)], (2, 3), {}, 7),
    "pad input": ([node("Pad", "x p v")], (2, 3), {"p": integers(1, 0, 0, 2), "v": np.float64(-0.5)}, 13),
    "pad crops": ([node("Pad", "x p")], (2, 4), {"p": integers(0, -1, 1, -2)}, 13),
    "pad axes": ([node("Pad", ["x", "p", "", "a"])], (2, 4), {"p": integers(1, 2), "a": integers(-1)}, 18),
    "pad reflect": ([node("Pad", "x p", mode="reflect")], (1, 5), {"p": integers(0, 2, 0, 3)}, 13),
    "pad edge": ([node("Pad", "x p", mode="edge")], (1, 5), {"p": integers(1, 2, 0, 3)}, 13),
    "identity": ([node("Identity", "x")], (3,), {}, 13),
    "dropout ratio": ([node("Dropout", "x", ratio=0.4)], (3,), {}, 10),
    "dropout input": ([node("Dropout", "x r")], (3,), {"r": np.float64(0.4)}, 13),
    "cast": ([node("Cast", "x", "a", to=11), node("Cast", "a", to=1)], (3,), {}, 13),
    # shapes computed in the graph
    "shape chain": (
        [
            node("Shape", "x", "s"),
            node("Gather", "s zero", "batch", axis=0),
            node("Unsqueeze", "batch zero_list", "first"),
            node("Concat", "first rest", "target", axis=0),
            node("Reshape", "x target"),
        ],
        (1, 2, 3),
        {"zero": np.array(0), "zero_list": integers(0), "rest": integers(-1)},
        13,
    ),
    "constant of shape": (
        [
            node("Shape", "x", "s"),
            node("ConstantOfShape", "s", "zeros"),
            node("Cast", "zeros", "c", to=1),
            node("Add", "x c"),
        ],
        (2, 3),
        {},
        13,
    ),
    "constant node": ([node("Constant", [], "c", value_floats=[1.0, 2.0]), node("Mul", "x c")], (2,), {}, 13),
    "folded weights": (
        [node("Transpose", "w", "v"), node("MatMul", "x v")],
        (1, 3),
        {"w": normal(2, 3)},
        13,
    ),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_operator_agrees_with_onnxruntime(name: str, tmp_path: Path) -> None:
    nodes, shape, constants, opset = CASES[name]
    agrees(write_model(tmp_path / "m.onnx", nodes, {"x": shape}, constants=constants, opset=opset))


@pytest.mark.parametrize("name", ["gemm", "abs", "max", "clip inputs", "batch normalisation"])
def test_double_precision_agrees_to_rounding(name: str, tmp_path: Path) -> None:
    nodes, shape, constants, opset = CASES[name]
    path = write_model(tmp_path / "m.onnx", nodes, {"x": shape}, constants=constants, opset=opset, dtype=np.float64)
    assert agrees(path).inputs[0].dtype == "float64"


def test_latest_opset_is_read(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w", "c"),
        node("Relu", "c", "r"),
        node("ReduceMean", "r a", "m", keepdims=0),
        node("Neg", "m"),
    ]
    constants = {"w": normal(2, 1, 2, 2), "a": integers(2, 3)}
    agrees(write_model(tmp_path / "m.onnx", nodes, {"x": (1, 1, 4, 4)}, constants=constants, opset=LATEST))
