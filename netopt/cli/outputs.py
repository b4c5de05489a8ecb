"""The files that a command writes in the end, checked before it begins."""

from __future__ import annotations

import os
from pathlib import Path

from netopt.errors import InputError


def check_outputs(*paths: Path | None) -> None:
    """Refuse, before hours of work, what could not be written after them.

    Raises
    ------
    InputError
        A path is a folder, or its folder is missing or closed.
    """
    for path in paths:
        if path is not None and (path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK)):
            raise InputError(f"{path} cannot be written; give a file in a folder that exists and is open to you")
