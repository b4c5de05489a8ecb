"""Bytes of an ONNX file, compressed or not, as a checked model."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netopt.errors import InputError
from netopt.network.onnx_reader.messages import messages

if TYPE_CHECKING:
    import onnx

_PICKLES = {".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt"}
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A parsed file.

    Attributes
    ----------
    model : the model, its external data loaded.
    content : the decompressed bytes, or those of the model with its external data: what onnxruntime is given.
    sha256 : digest of the decompressed bytes, followed by the external data if there is any.
    """

    model: onnx.ModelProto
    content: bytes
    sha256: str


def read_model(path: Path) -> ModelFile:
    """Return the model in a file.

    Raises
    ------
    InputError
        The file cannot be read, is no ONNX model, or names data outside its folder.
    """
    content = _read_bytes(path)
    model = _parse(content, path)
    digest = hashlib.sha256(content)
    files = _external_files(model, path.parent)
    for file in files:
        digest.update(file.read_bytes())
    if files:
        _load_external_data(model, path)
        content = model.SerializeToString()
    return ModelFile(model, content, digest.hexdigest())


def _read_bytes(path: Path) -> bytes:
    """Return a file's bytes, decompressed when they are gzip."""
    if {suffix.lower() for suffix in path.suffixes} & _PICKLES:
        raise InputError(
            f"{path} is a pickled model, which can run code when loaded; export it to ONNX and pass that file"
        )
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP_MAGIC):
            content = gzip.decompress(content)
    except FileNotFoundError as error:
        raise InputError(f"network file {path} does not exist; check the path") from error
    except IsADirectoryError as error:
        raise InputError(f"network file {path} is a folder; pass the .onnx file in it") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"network file {path} is a damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise InputError(f"network file {path} cannot be read ({error.strerror}); check its permissions") from error
    if not content:
        raise InputError(f"network file {path} is empty; export the network again")
    return content


def _parse(content: bytes, path: Path) -> onnx.ModelProto:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types

    model: onnx.ModelProto = messages().ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise InputError(f"{path} is not an ONNX file, or is cut short ({error}); export the network again") from error
    if not model.graph.output or not model.opset_import:
        raise InputError(f"{path} holds no ONNX graph with outputs; export the network again")
    if model.functions:
        from onnx import inliner

        model = inliner.inline_local_functions(model)
    return model


def _external_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    kinds = messages()
    attributes = (a.t for node in model.graph.node for a in node.attribute if a.type == kinds.AttributeProto.TENSOR)
    for tensor in (*model.graph.initializer, *attributes):
        if tensor.data_location == kinds.TensorProto.EXTERNAL:
            yield tensor


def _external_files(model: onnx.ModelProto, folder: Path) -> list[Path]:
    files = set()
    home = folder.resolve()
    for tensor in _external_tensors(model):
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        file = (home / location).resolve()
        if not location or not file.is_relative_to(home):
            raise InputError(
                f"tensor {tensor.name!r} names external data at {location!r}, outside the model's folder;"
                " save the model with its data beside it"
            )
        if not file.is_file():
            raise InputError(f"tensor {tensor.name!r} needs the data file {location!r} beside the model; put it there")
        files.add(file)
    return sorted(files)


def _load_external_data(model: onnx.ModelProto, path: Path) -> None:
    from onnx.external_data_helper import load_external_data_for_tensor

    for tensor in _external_tensors(model):
        try:
            load_external_data_for_tensor(tensor, str(path.parent.resolve()))
        except (OSError, ValueError) as error:
            raise InputError(f"external data of tensor {tensor.name!r} cannot be read ({error})") from error
        tensor.data_location = messages().TensorProto.DEFAULT
        del tensor.external_data[:]
