"""One door for every kind of network a user has."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from netopt.errors import InputError, InvalidOptionError
from netopt.network.network import Network


def load_network(source: Any, *, output: str | None = None, input_shape: Sequence[int] | None = None) -> Network:
    """Return the network a file or an object holds.

    Parameters
    ----------
    source : path of an ONNX file (compressed with gzip or not), a `Network` (returned as it is), a ``torch.nn.Module``,
        or a fitted scikit-learn MLPRegressor or MLPClassifier, alone or at the end of a Pipeline of scalers.
    output : "logits" leaves out a trailing Softmax or LogSoftmax; None refuses one.
    input_shape : shape of one input of a torch module, without the batch axis; needed unless its first layer is Linear.

    Raises
    ------
    InputError
        The source is missing, damaged or of a kind netopt does not read.
    UnsupportedOperatorError
        An operator cannot be written as Affine and ReLU.

    Examples
    --------
    >>> from netopt.network.build import from_weights
    >>> from netopt.network.load import load_network
    >>> network = from_weights([[[1.0, -1.0]]], [[0.5]])
    >>> load_network(network) is network
    True
    """
    if output not in (None, "logits"):
        raise InvalidOptionError(f"output={output!r} is unknown; leave it out or pass 'logits'")
    library = _library(source)
    if input_shape is not None and library != "torch":
        raise InvalidOptionError("input_shape is for torch modules; other networks know theirs, so leave it out")
    if isinstance(source, Network):
        return source
    if isinstance(source, str | PathLike):
        from netopt.network.onnx_reader.reader import read_onnx

        return read_onnx(Path(source), output=output)
    if library == "torch":
        from netopt.network.torch_reader import read_torch

        return read_torch(source, input_shape=input_shape, output=output)
    if library == "sklearn":
        from netopt.network.sklearn_reader import read_sklearn

        return read_sklearn(source, output=output)
    raise InputError(
        f"a network cannot be read from a {type(source).__name__}; pass a path to an ONNX file, a torch module or a"
        " scikit-learn multilayer perceptron"
    )


def _library(source: Any) -> str | None:
    """Return which library an object's class comes from, without importing any."""
    roots = [kind.__module__.partition(".")[0] for kind in type(source).__mro__]
    if "torch" in roots and hasattr(source, "named_parameters"):
        return "torch"
    return "sklearn" if "sklearn" in roots else None
