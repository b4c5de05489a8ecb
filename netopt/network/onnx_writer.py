"""Networks as ONNX files that any runtime reads; convolutions stay convolutions."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import FloatArray
from netopt.checks import check_kind
from netopt.errors import InputError, InvalidOptionError
from netopt.network.composition import is_identity
from netopt.network.convolution import Convolution
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine, Relu
from netopt.network.sparse import Sparse

if TYPE_CHECKING:
    import onnx

_OPSET = 13
_IR_VERSION = 8
#: A larger Sparse map with few entries a row is written as Gather, Mul and ReduceSum, a smaller or fuller one as Gemm.
_LARGE = 1_000_000
_FEW = 16
#: Of maps larger still, rows count as slender up to this share of the inputs: an entry takes 12 bytes, not 4.
_HUGE = 16_000_000
_SLENDER_SHARE = 0.25
#: Protocol buffers end here.
_BYTE_LIMIT = 2**31 - 2**20


def write_onnx(network: Network, path: str | PathLike[str], *, dtype: str = "float32") -> None:
    """Write a network as an ONNX file (opset 13), compressed when the name ends in ``.gz``.

    The weights are rounded to `dtype`; the batch axis is free where every input and output has length 1 there.

    Parameters
    ----------
    network : what to write.
    path : the file, replaced if it exists.
    dtype : ``"float32"`` or ``"float64"`` (onnxruntime has no float64 convolution on CPUs).

    Raises
    ------
    InputError
        A weight does not fit `dtype`, the model is larger than 2 GB, or the file cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from netopt.network.build import from_weights
    >>> from netopt.network.load import load_network
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_onnx(network, pathlib.Path(folder) / "absolute.onnx")
    ...     load_network(pathlib.Path(folder) / "absolute.onnx").forward([-3.0]).tolist()
    [3.0]
    """
    check_kind(network, Network, "the network", "read it with netopt.load_network")
    check_kind(path, (str, PathLike), "the path", "give text or a pathlib.Path")
    if dtype not in ("float32", "float64"):
        raise InvalidOptionError(f"dtype={dtype!r} is unknown; pass 'float32' or 'float64'")
    content = _Writer(network, np.dtype(dtype)).model().SerializeToString()
    target = Path(path)
    try:
        target.write_bytes(gzip.compress(content, mtime=0) if target.suffix == ".gz" else content)
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror}); choose another path") from error


class _Writer:
    def __init__(self, network: Network, dtype: np.dtype[Any]) -> None:
        self.network = network
        self.dtype = dtype
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.bytes = 0
        specs = (*network.inputs, *network.outputs)
        self.free_batch = all(spec.shape and spec.shape[0] == 1 for spec in specs)
        self.prefix = "net."
        while any(spec.name.startswith(self.prefix) for spec in specs):
            self.prefix = "_" + self.prefix

    def model(self) -> onnx.ModelProto:
        from onnx import helper

        self._write_inputs()
        for node in self.network.nodes:
            if isinstance(node, Relu):
                self._call("Relu", [self.prefix + node.input], self.prefix + node.name)
            else:
                self._write_affine(node)
        self._write_outputs()
        graph = helper.make_graph(
            self.nodes,
            "netopt",
            [self._info(spec) for spec in self.network.inputs],
            [self._info(spec) for spec in self.network.outputs],
            self.initializers,
        )
        opsets = [helper.make_opsetid("", _OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="netopt")

    def _info(self, spec: TensorSpec) -> onnx.ValueInfoProto:
        from onnx import helper

        shape = ["batch", *spec.shape[1:]] if self.free_batch else list(spec.shape)
        return helper.make_tensor_value_info(spec.name, helper.np_dtype_to_tensor_dtype(self.dtype), shape)

    def _write_inputs(self) -> None:
        joined = self.prefix + INPUT
        parts = [
            self._reshape(spec.name, (spec.size,), f"{joined}.{k}.vector") for k, spec in enumerate(self.network.inputs)
        ]
        if len(parts) == 1:
            self.nodes[-1].output[0] = joined
        else:
            self._call("Concat", parts, joined, axis=1)

    def _write_outputs(self) -> None:
        source = self.prefix + self.network.output
        specs = self.network.outputs
        if len(specs) > 1:
            sizes = self._constant(f"{source}.sizes", np.array([spec.size for spec in specs]))
            parts = [f"{source}.{k}.vector" for k in range(len(specs))]
            self._call("Split", [source, sizes], *parts, axis=1)
        else:
            parts = [source]
        for part, spec in zip(parts, specs, strict=True):
            self._reshape(part, spec.shape[1:] if self.free_batch else spec.shape, spec.name, vector=False)

    def _write_affine(self, node: Affine) -> None:
        bias: FloatArray | None = node.bias if node.bias.any() else None
        value = self.prefix + node.name
        parts = []
        for k, (source, linear_map) in enumerate(zip(node.inputs, node.maps, strict=True)):
            part, used = self._write_map(linear_map, self.prefix + source, f"{value}.{k}", bias)
            parts.append(part)
            bias = None if used else bias
        if bias is not None:
            parts.append(self._constant(f"{value}.bias", bias[None]))
        total = parts[0]
        for k, part in enumerate(parts[1:], start=1):
            total = self._call("Add", [total, part], f"{value}.sum{k}")
        if total == self.prefix + node.inputs[0]:
            self._call("Identity", [total], value)
        else:
            self.nodes[-1].output[0] = value

    def _write_map(self, linear_map: LinearMap, source: str, name: str, bias: FloatArray | None) -> tuple[str, bool]:
        """Write one map; return its value and whether the bias went with it."""
        if is_identity(linear_map):
            return source, False
        if isinstance(linear_map, Convolution):
            return self._write_convolution(linear_map, source, name, bias)
        if isinstance(linear_map, Sparse) and _is_slender(linear_map):
            return self._write_slender(linear_map, source, name), False
        weight = self._constant(f"{name}.weight", linear_map.to_csr().toarray())
        operands = [source, weight] + ([] if bias is None else [self._constant(f"{name}.bias", bias)])
        return self._call("Gemm", operands, f"{name}.value", transB=1), True

    def _write_convolution(
        self, linear_map: Convolution, source: str, name: str, bias: FloatArray | None
    ) -> tuple[str, bool]:
        image = self._reshape(source, linear_map.in_shape, f"{name}.image")
        operands = [image, self._constant(f"{name}.weight", linear_map.weight)]
        channels = None if bias is None else bias.reshape(linear_map.out_shape[0], -1)
        by_channel = channels is not None and bool((channels == channels[:, :1]).all())
        if channels is not None and by_channel:
            operands.append(self._constant(f"{name}.bias", channels[:, 0]))
        result = self._call(
            "Conv",
            operands,
            f"{name}.result",
            group=linear_map.groups,
            strides=linear_map.strides,
            pads=linear_map.pads,
            dilations=linear_map.dilations,
        )
        return self._reshape(result, (linear_map.out_size,), f"{name}.value"), by_channel

    def _write_slender(self, linear_map: Sparse, source: str, name: str) -> str:
        """Write a large map with few entries a row: gather, weigh and sum them."""
        matrix = linear_map.weight
        counts = np.diff(matrix.indptr)
        width = max(int(counts.max()), 1)
        rows = np.repeat(np.arange(counts.size), counts)
        places = np.arange(matrix.nnz) - matrix.indptr[rows]
        index = np.zeros((counts.size, width), dtype=np.int64)
        weights = np.zeros((counts.size, width))
        index[rows, places], weights[rows, places] = matrix.indices, matrix.data
        gathered = self._call("Gather", [source, self._constant(f"{name}.index", index)], f"{name}.entries", axis=1)
        weighed = self._call("Mul", [gathered, self._constant(f"{name}.weight", weights)], f"{name}.weighed")
        axes = self._constant(f"{name}.axes", np.array([2]))
        return self._call("ReduceSum", [weighed, axes], f"{name}.value", keepdims=0)

    def _reshape(self, source: str, shape: Sequence[int], name: str, *, vector: bool = True) -> str:
        """Reshape all but the batch axis; the network's outputs may have none."""
        full = [-1, *shape] if vector or self.free_batch else list(shape)
        return self._call("Reshape", [source, self._constant(f"{name}.shape", np.array(full, dtype=np.int64))], name)

    def _call(self, operator: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, outputs, name=f"{outputs[0]}.{operator}", **attributes))
        return outputs[0]

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        with np.errstate(over="ignore"):
            array = value.astype(self.dtype if value.dtype.kind == "f" else np.int64)
        if not np.isfinite(array).all():
            raise InputError(f"{name} holds weights beyond the range of {self.dtype}; write it as float64")
        self.bytes += array.nbytes
        if self.bytes > _BYTE_LIMIT:
            raise InputError(
                "the network needs more than the 2 GB an ONNX file can hold; write it as float32 or reduce it"
            )
        self.initializers.append(numpy_helper.from_array(array, name))
        return name


def _is_slender(linear_map: Sparse) -> bool:
    widest = int(np.diff(linear_map.weight.indptr).max(initial=0))
    size = linear_map.in_size * linear_map.out_size
    return (size > _LARGE and widest <= _FEW) or (size > _HUGE and widest <= _SLENDER_SHARE * linear_map.in_size)
