"""Names of insertions: unique in the user's model, for as long as the insertion is in it."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from netopt.errors import InputError

_TAKEN: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


def reserve_name(model: Any, name: str | None, stem: str) -> str:
    """Return `name`, or the first free of stem1, stem2, …, and take it in `model`.

    Raises
    ------
    InputError
        The name is taken.
    """
    taken = _TAKEN.setdefault(model, set())
    if name in taken:
        raise InputError(f"the model already holds a network called {name!r}; remove it or choose another name")
    if name is None:
        name = next(candidate for k in range(1, len(taken) + 2) if (candidate := f"{stem}{k}") not in taken)
    taken.add(name)
    return name


def release_name(model: Any, name: str) -> None:
    """Free a name in `model`."""
    _TAKEN[model].discard(name)
