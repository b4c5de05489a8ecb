"""VNN-LIB files: which inputs, and which outputs make a counterexample."""

from __future__ import annotations

import gc
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netopt.errors import InputError
from netopt.specification.normal_form import build_property
from netopt.specification.property import Property
from netopt.specification.vnnlib1 import parse_vnnlib1


def read_vnnlib(path: str | Path) -> Property:
    """Read a property from a .vnnlib file, or a gzipped one.

    Strict inequalities are read as non-strict ones (see `netopt.specification.vnnlib1`).

    Raises
    ------
    InputError
        The file cannot be read, has a syntax error (the message names the line), or leaves an input unbounded.
    """
    text = _read_text(Path(path))
    try:
        with _collection_paused():
            return build_property(*parse_vnnlib1(text))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return content.decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the property {path} ({error}); give a .vnnlib or .vnnlib.gz file") from error


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector: reading makes millions of objects and no cycles, and scans cost a third."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
