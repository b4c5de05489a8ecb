"""Arrays on disk: ``.npz`` files of netopt's own, from which nothing is ever unpickled."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from netopt.errors import InputError


def write_arrays(path: Path, arrays: Mapping[str, Any], what: str) -> None:
    """Write arrays by name; `what` names them in the error.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    try:
        with path.open("wb") as file:
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise InputError(f"{what} cannot be written to {path} ({error.strerror}); choose another file") from error


@contextmanager
def arrays_of(path: Path, what: str, remedy: str) -> Iterator[dict[str, Any]]:
    """Yield the arrays of a file by name.

    Raises
    ------
    InputError
        The file is not one of ours, or the body finds (by a KeyError, TypeError or ValueError) that its arrays are not
        those of `what`. `remedy` says how such a file is made.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file):  # refuses all that is not an archive
            file.seek(0)
            with np.load(file, allow_pickle=False) as data:
                content = {key: data[key] for key in data.files}
        yield content
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        found = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise InputError(f"{path} does not hold {what} written by netopt ({found}); {remedy}") from error


def under(prefix: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is called ``prefix + name`` in an archive, by name.

    Examples
    --------
    >>> under("kept/", {"kept/layer1": 1, "rate": 2})
    {'layer1': 1}
    """
    return {key.removeprefix(prefix): value for key, value in content.items() if key.startswith(prefix)}
