"""torch modules as networks, through torch's own ONNX export."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from netopt.errors import InputError
from netopt.network.network import Network
from netopt.network.onnx_reader.reader import lower_model

if TYPE_CHECKING:
    import onnx
    import torch

_OPSET = 17
#: Points at which the network is compared with the module, and the share of the largest output they may differ by.
_CHECKS = 8
_TOLERANCE = 1e-4


def read_torch(
    module: torch.nn.Module, *, input_shape: Sequence[int] | None = None, output: str | None = None
) -> Network:
    """Return the network a module computes in evaluation mode.

    The module is traced; where what it does depends on the values it is given, torch's exporter by symbolic execution
    has the last word. The network is compared with the module at random points before it is returned.

    Parameters
    ----------
    module : a module with one floating-point input.
    input_shape : shape of one input without the batch axis; may be left out when the first layer is Linear.
    output : "logits" leaves a trailing Softmax or LogSoftmax out.

    Raises
    ------
    InputError
        The module cannot be exported, its input shape is not known, or the export computes something else.
    UnsupportedOperatorError
        An operator cannot be written as Affine and ReLU.
    """
    import torch

    shape = tuple(input_shape) if input_shape is not None else _inferred_shape(module)
    weights = [p for p in module.parameters() if p.is_floating_point()]
    like = weights[0] if weights else torch.zeros(())
    example = torch.zeros((1, *shape), dtype=like.dtype, device=like.device)
    with _evaluating(module), torch.no_grad():
        _check_shape(module, example)
        network = lower_model(_export(module, example), output=output)
        _compare(network, module, example)
    return network


def _inferred_shape(module: torch.nn.Module) -> tuple[int, ...]:
    import torch

    for layer in module.modules():
        if next(layer.parameters(recurse=False), None) is None:
            continue
        if isinstance(layer, torch.nn.Linear):
            return (layer.in_features,)
        if isinstance(layer, torch.nn.BatchNorm1d):
            return (layer.num_features,)
        break
    raise InputError(
        f"the input shape of a {type(module).__name__} does not follow from its first layer; pass input_shape=, without"
        " the batch axis"
    )


def _check_shape(module: torch.nn.Module, example: torch.Tensor) -> None:
    try:
        module(example)
    except Exception as error:
        raise InputError(
            f"the {type(module).__name__} fails on an input of shape {tuple(example.shape)} ({error}); pass the right"
            " input_shape=, without the batch axis"
        ) from error


@contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and every part back into its own mode."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def _export(module: torch.nn.Module, example: torch.Tensor) -> onnx.ModelProto:
    try:
        return _export_by_tracing(module, example)
    except Exception as traced:  # noqa: BLE001 - tracing raises whatever the module's own code raises
        try:
            return _export_symbolically(module, example)
        except Exception as error:
            reason = str(traced).strip().partition("\n")[0]
            raise InputError(
                f"torch cannot export the {type(module).__name__} to ONNX ({reason}); what it computes must not depend"
                " on the values it is given"
            ) from error


def _export_by_tracing(module: torch.nn.Module, example: torch.Tensor) -> onnx.ModelProto:
    import onnx
    import torch
    from torch.jit._trace import TracerWarning

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls this exporter deprecated; the other one takes ten times as long
        warnings.simplefilter("error", TracerWarning)  # a branch on values would be baked in
        target: Any = buffer  # torch's stubs leave out that this exporter writes to streams
        torch.onnx.export(module, (example,), target, dynamo=False, opset_version=_OPSET)
    return onnx.load_model_from_string(buffer.getvalue())


def _export_symbolically(module: torch.nn.Module, example: torch.Tensor) -> onnx.ModelProto:
    import torch

    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(module, (example,), dynamo=True, verbose=False)
    finally:
        logger.setLevel(level)
    if program is None:
        raise InputError("torch returned no program")
    return program.model_proto


def _compare(network: Network, module: torch.nn.Module, example: torch.Tensor) -> None:
    import torch
    from scipy.special import log_softmax, softmax

    points = np.random.default_rng(0).normal(size=(_CHECKS, network.input_size))
    batch = torch.as_tensor(points, dtype=example.dtype, device=example.device).reshape(_CHECKS, *example.shape[1:])
    expected = np.stack([_flat(module(row[None])) for row in batch])
    found = network.forward(batch.reshape(_CHECKS, -1).double().cpu().numpy())
    if network.dropped_output is not None:
        found = (softmax if network.dropped_output == "softmax" else log_softmax)(found, axis=1)
    difference = float(np.abs(found - expected).max())
    if not difference <= _TOLERANCE * (1.0 + float(np.abs(expected).max())):
        raise InputError(
            f"the ONNX export of the {type(module).__name__} differs from the module by {difference:.3g} at random"
            " points; what it computes may depend on values, or on chance"
        )


def _flat(outputs: torch.Tensor | Sequence[torch.Tensor]) -> np.ndarray:
    import torch

    parts = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
    return np.concatenate([part.detach().double().cpu().numpy().ravel() for part in parts])
