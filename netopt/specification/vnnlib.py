"""VNN-LIB files: which inputs, and which outputs make a counterexample."""

from __future__ import annotations

import gzip
import zlib
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from netopt.checks import check_kind
from netopt.errors import InputError
from netopt.specification.collection import collection_paused
from netopt.specification.property import Property
from netopt.specification.property_assembly import build_property
from netopt.specification.vnnlib_version import is_vnnlib2

if TYPE_CHECKING:
    from netopt.specification.linear_rows import LinearRows
    from netopt.specification.normal_form import Formula
    from netopt.specification.vnnlib2 import NetworkDeclaration


def read_vnnlib(path: str | Path) -> Property:
    """Read a property from a .vnnlib file of version 1.0 or 2.0, or a gzipped one.

    A file that states its version or declares a network is read as 2.0, any other as 1.0. Strict inequalities are read
    as non-strict ones (see `netopt.specification.vnnlib1`).

    Raises
    ------
    InputError
        The file cannot be read, has a syntax error (the message names the line), or leaves an input unbounded.
    """
    check_kind(path, (str, PathLike), "the property", "give the path of a VNN-LIB file")
    text = _read_text(Path(path))
    try:
        with collection_paused():
            return build_property(*_parse(text))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_declaration(path: str | Path) -> NetworkDeclaration | None:
    """Return what a 2.0 query declares of its network: its name and tensors; None for a 1.0 file.

    Raises
    ------
    InputError
        As `read_vnnlib`.
    """
    text = _read_text(Path(path))
    try:
        if not is_vnnlib2(text):
            return None
        from netopt.specification.vnnlib2 import declaration

        return declaration(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _parse(text: str) -> tuple[list[Formula], LinearRows]:
    """Return the formulas and rows of either version; the parser of the other is not loaded."""
    if is_vnnlib2(text):
        from netopt.specification.vnnlib2 import parse_vnnlib2

        return parse_vnnlib2(text)
    from netopt.specification.vnnlib1 import parse_vnnlib1

    return parse_vnnlib1(text)


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return content.decode()
    except FileNotFoundError as error:
        raise InputError(f"property file {path} does not exist; check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"cannot read the property {path}, which is not text; give a .vnnlib or .vnnlib.gz file"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"cannot read the property {path} ({reason}); give a .vnnlib or .vnnlib.gz file") from error
