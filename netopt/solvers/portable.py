"""Errors that cross a pipe between processes."""

from __future__ import annotations

import pickle

from netopt.errors import NetoptError


def portable(error: BaseException, kind: type[NetoptError], failed: str) -> BaseException:
    """Return the error if it survives a pipe, else one of `kind` that says the same and what `failed`."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - any failure to copy it has the same remedy
        return kind(f"{failed}: {type(error).__name__}: {error}")
    return error
