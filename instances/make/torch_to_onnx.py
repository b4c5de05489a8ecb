"""A torch module of `architectures` as an ONNX file, one operator a layer (batch normalisation is kept as it is)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from instances.make.architectures import CLASSES, ResidualBlock
from instances.make.onnx_file import OnnxWriter


def write_torch(path: Path, module: nn.Sequential, input_shape: tuple[int, ...]) -> None:
    """Write `module` in evaluation mode."""
    writer = OnnxWriter(input_shape)
    writer.write(path, _emit(writer, module, "X"), CLASSES)


def _emit(writer: OnnxWriter, module: nn.Module, source: str) -> str:
    return _EMITTERS[type(module)](writer, module, source)


def _sequential(writer: OnnxWriter, module: Any, source: str) -> str:
    for layer in module:
        source = _emit(writer, layer, source)
    return source


def _linear(writer: OnnxWriter, module: Any, source: str) -> str:
    return writer.add("Gemm", source, {"weight": module.weight.detach(), "bias": module.bias.detach()}, transB=1)


def _conv(writer: OnnxWriter, module: Any, source: str) -> str:
    parameters = {"weight": module.weight.detach()}
    if module.bias is not None:
        parameters["bias"] = module.bias.detach()
    return writer.add("Conv", source, parameters, strides=list(module.stride), pads=list(module.padding) * 2)


def _batch_norm(writer: OnnxWriter, module: Any, source: str) -> str:
    parameters = {
        "scale": module.weight.detach(),
        "bias": module.bias.detach(),
        "mean": module.running_mean,
        "variance": module.running_var,
    }
    return writer.add("BatchNormalization", source, parameters, epsilon=module.eps)


def _relu(writer: OnnxWriter, module: Any, source: str) -> str:
    return writer.add("Relu", source, {})


def _flatten(writer: OnnxWriter, module: Any, source: str) -> str:
    return writer.add("Flatten", source, {}, axis=1)


def _residual(writer: OnnxWriter, module: Any, source: str) -> str:
    branches = [_emit(writer, module.main, source), _emit(writer, module.shortcut, source)]
    return writer.add("Relu", writer.add("Add", branches, {}), {})


_EMITTERS: dict[type[nn.Module], Callable[[OnnxWriter, Any, str], str]] = {
    nn.Sequential: _sequential,
    nn.Linear: _linear,
    nn.Conv2d: _conv,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU: _relu,
    nn.Flatten: _flatten,
    ResidualBlock: _residual,
}
