"""Which version of VNN-LIB a file is written in, told before the parser of either is loaded."""

from __future__ import annotations

import re

_VERSION = re.compile(r"\(\s*vnnlib-version\s*<\s*(\d+)\.(\d+)\s*>\s*\)|\(\s*declare-network\b")
_COMMENT = re.compile(r";[^\n]*")


def without_comments(text: str) -> str:
    """Return a file's text with its lines kept and its comments gone."""
    return _COMMENT.sub("", text) if ";" in text else text


def is_vnnlib2(text: str) -> bool:
    """Return whether a file's text is a 2.0 query: it states its version or declares a network."""
    # Both come before the first assertion, and most of a file behind it.
    return _VERSION.search(without_comments(text).partition("(assert")[0]) is not None
