"""An ONNX graph, walked once in its order, as a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netopt.errors import InputError
from netopt.network.linear_map import LinearMap
from netopt.network.lowering import Lowering
from netopt.network.network import Network, TensorSpec
from netopt.network.nodes import Affine
from netopt.network.onnx_reader.call import Call, Constant, Tensor, Value
from netopt.network.onnx_reader.fold import evaluate
from netopt.network.onnx_reader.messages import to_array, type_name
from netopt.network.onnx_reader.model_file import read_model
from netopt.network.onnx_reader.registry import lowering
from netopt.network.onnx_reader.softmax import DROPPED, trailing_softmax

if TYPE_CHECKING:
    import onnx

#: Oldest version of the operators that is read.
OLDEST_OPSET = 7
_DOMAINS = ("", "ai.onnx")
_RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}


def read_onnx(path: Path, *, output: str | None = None) -> Network:
    """Return the network in an ONNX file, which may be compressed with gzip.

    Parameters
    ----------
    path : the file.
    output : "logits" leaves a trailing Softmax or LogSoftmax out.

    Raises
    ------
    InputError
        The file cannot be read or is no sound ONNX model.
    UnsupportedOperatorError
        An operator cannot be written as Affine and ReLU.
    """
    file = read_model(path)
    return lower_model(file.model, output=output, source=path, source_sha256=file.sha256)


def lower_model(
    model: onnx.ModelProto, *, output: str | None = None, source: Path | None = None, source_sha256: str | None = None
) -> Network:
    """Return the network in a parsed ONNX model; `source` and its digest are noted, not read."""
    with np.errstate(all="ignore"):
        return _GraphReader(model, output).run(source, source_sha256)


class _GraphReader:
    def __init__(self, model: onnx.ModelProto, output: str | None) -> None:
        self.graph = model.graph
        self.opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)
        if self.opset < OLDEST_OPSET:
            raise InputError(
                f"the ONNX graph uses opset {self.opset}; convert it to {OLDEST_OPSET} or later with"
                " onnx.version_converter"
            )
        self.trailing = trailing_softmax(self.graph)
        self.wants_logits = output == "logits"
        self.dropped: str | None = None
        self.values: dict[str, Value] = {}

    def run(self, source: Path | None, digest: str | None) -> Network:
        self._read_initializers()
        inputs = self._read_inputs()
        for node in self.graph.node:
            self._read_node(node)
        joined, outputs = self._join_outputs()
        network = self.lowering.finish(
            joined.value, inputs, outputs, source=source, source_sha256=digest, dropped_output=self.dropped
        )
        _check_finite(network)
        return network

    def _read_initializers(self) -> None:
        for tensor in self.graph.initializer:
            self.values[tensor.name] = to_array(tensor)
        for sparse_tensor in self.graph.sparse_initializer:
            self.values[sparse_tensor.values.name] = _filled(sparse_tensor)
        for name, array in self.values.items():
            assert not isinstance(array, Tensor)
            _check_weights(name, array)

    def _read_inputs(self) -> tuple[TensorSpec, ...]:
        specs = tuple(_spec(info) for info in self.graph.input if info.name not in self.values)
        if not specs:
            raise InputError("the ONNX graph has no input; export the network again")
        sizes = [spec.size for spec in specs]
        self.lowering = Lowering(sum(sizes))
        starts = np.concatenate([[0], np.cumsum(sizes)])
        for spec, start in zip(specs, starts, strict=False):
            part = self.lowering.take(self.lowering.input, np.arange(start, start + spec.size))
            self.values[spec.name] = Tensor(spec.shape, part)
        return specs

    def _read_node(self, node: onnx.NodeProto) -> None:
        inputs = tuple(self._lookup(name, node) for name in node.input)
        call = Call(node, inputs, self.opset, self.lowering, node.output[0] == self.trailing, self.wants_logits)
        outputs: Sequence[Value]
        if node.domain not in _DOMAINS or node.op_type in _RANDOM:
            raise call.refuse("is not an operator netopt knows", "replace it in the network and export again")
        if not any(isinstance(value, Tensor) for value in inputs):
            outputs = evaluate(node, [value for value in inputs if not isinstance(value, Tensor)], self.opset)
        elif (lowered := lowering(node.op_type)) is not None:
            outputs = lowered(call)
            self.dropped = DROPPED.get(node.op_type, self.dropped)
        else:
            raise call.refuse(
                "is not piecewise linear, or not known to netopt", "replace it in the network and export again"
            )
        for name, value in zip(node.output, outputs, strict=False):
            if name:
                self.values[name] = value

    def _lookup(self, name: str, node: onnx.NodeProto) -> Value | None:
        if not name:
            return None
        if name not in self.values:
            raise InputError(
                f"node {node.name or node.output[0]!r} ({node.op_type}) reads {name!r}, which nothing before it makes;"
                " export the network again"
            )
        return self.values[name]

    def _join_outputs(self) -> tuple[Tensor, tuple[TensorSpec, ...]]:
        tensors, specs = [], []
        for info in self.graph.output:
            found = self.values.get(info.name)
            if found is None:
                raise InputError(f"no node makes the graph's output {info.name!r}; export the network again")
            tensor = found if isinstance(found, Tensor) else Tensor(found.shape, self.lowering.constant(found))
            tensors.append(tensor)
            specs.append(TensorSpec(info.name, tensor.shape, _dtype(info)))
        if len(tensors) == 1:
            return tensors[0], tuple(specs)
        size = sum(tensor.value.size for tensor in tensors)
        parts, start = [], 0
        for tensor in tensors:
            index = np.full(size, -1)
            index[start : start + tensor.value.size] = np.arange(tensor.value.size)
            parts.append(self.lowering.take(tensor.value, index))
            start += tensor.value.size
        return Tensor((size,), self.lowering.add(*parts)), tuple(specs)


def _dtype(info: onnx.ValueInfoProto) -> str:
    return type_name(info.type.tensor_type.elem_type)


def _spec(info: onnx.ValueInfoProto) -> TensorSpec:
    tensor = info.type.tensor_type
    if not info.type.HasField("tensor_type") or not tensor.HasField("shape"):
        raise InputError(f"input {info.name!r} of the ONNX graph has no shape; export the network with a fixed one")
    shape = [axis.dim_value for axis in tensor.shape.dim]
    if shape and shape[0] <= 0:
        shape[0] = 1
    if any(length <= 0 for length in shape):
        raise InputError(
            f"input {info.name!r} of the ONNX graph has shape {shape} with an unknown axis other than the batch;"
            " export the network with a fixed shape"
        )
    dtype = _dtype(info)
    if dtype not in ("float32", "float64"):
        raise InputError(f"input {info.name!r} of the ONNX graph holds {dtype}; netopt takes float32 and float64")
    return TensorSpec(info.name, tuple(shape), dtype)


def _filled(tensor: onnx.SparseTensorProto) -> Constant:
    """Return a sparse initialiser as an array; its indices are positions in it or one row of coordinates a value."""
    values, indices = to_array(tensor.values), to_array(tensor.indices)
    array = np.zeros(tuple(tensor.dims), dtype=values.dtype)
    if indices.ndim == 1:
        array.reshape(-1)[indices] = values
    else:
        array[tuple(indices.T)] = values
    return array


def _check_weights(name: str, array: Constant) -> None:
    """Refuse NaN anywhere and infinities in arrays (a lone one may be the open side of a Clip)."""
    if array.dtype.kind == "f" and (np.isnan(array).any() or (array.size > 1 and np.isinf(array).any())):
        raise InputError(f"initialiser {name!r} holds NaN or infinite weights; train or export the network again")


def _check_finite(network: Network) -> None:
    for node in network.nodes:
        if isinstance(node, Affine) and not (np.isfinite(node.bias).all() and all(map(_has_finite_sums, node.maps))):
            raise InputError(f"{node.name!r} has NaN or infinite weights; train or export the network again")


def _has_finite_sums(linear_map: LinearMap) -> bool:
    """Return whether the absolute weights of every row add up to a finite number."""
    weights = [array for array in linear_map.digest_arrays() if array.dtype.kind == "f" and array.size]
    largest = np.max([abs(end) for array in weights for end in (array.min(), array.max())], initial=0.0)
    if np.isfinite(largest * linear_map.in_size):  # far quicker than the sums, which are no larger
        return True
    return bool(np.isfinite(linear_map.apply_abs(np.ones((1, linear_map.in_size)))).all())
