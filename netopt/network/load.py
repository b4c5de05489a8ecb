"""One door for every kind of network a user has."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from netopt.errors import InputError, InvalidOptionError
from netopt.network.network import Network


def load_network(source: Any, *, output: str | None = None) -> Network:
    """Return the network a file or an object holds.

    Parameters
    ----------
    source : path of an ``.onnx`` or ``.onnx.gz`` file, or a `Network` (returned as it is).
    output : "logits" leaves out a trailing Softmax or LogSoftmax; None refuses one.

    Raises
    ------
    InputError
        The source is missing, damaged or of a kind netopt does not read.
    UnsupportedOperatorError
        An operator cannot be written as Affine and ReLU.
    """
    if output not in (None, "logits"):
        raise InvalidOptionError(f"output={output!r} is unknown; leave it out or pass 'logits'")
    if isinstance(source, Network):
        return source
    if isinstance(source, str | PathLike):
        from netopt.network.onnx_reader.reader import read_onnx

        return read_onnx(Path(source), output=output)
    raise InputError(f"a network cannot be read from a {type(source).__name__}; pass a path to an ONNX file")
