"""The subset-sum search as tickets call it, on the CPU or on a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from netopt.arrays import BoolArray, FloatArray
from netopt.errors import InvalidOptionError
from netopt.gpu.device import array_library
from netopt.subset_sum.search import Effort, find_subsets
from netopt.ticket.search import Finder

#: How long to look, by name; a tenth of the time finds errors about half as large again.
EFFORTS: Mapping[str, Effort] = MappingProxyType(
    {"quick": Effort(width=16, subsets=1, flips=10, rounds=0), "thorough": Effort()}
)


def named_effort(name: str) -> Effort:
    """Return an effort by its name.

    Raises
    ------
    InvalidOptionError
        There is none of that name.
    """
    if name not in EFFORTS:
        raise InvalidOptionError(f"unknown effort {name!r}; choose one of {', '.join(EFFORTS)}")
    return EFFORTS[name]


def subset_finder(*, size: int | None, effort: Effort, device: str) -> Finder:
    """Return what solves subset-sum problems.

    Parameters
    ----------
    size : number of vectors every subset takes, None for any.
    effort : how long to look.
    device : ``"cpu"`` or ``"cuda"``.

    Raises
    ------
    InvalidOptionError
        The device is unknown or cannot be used.
    """
    library = array_library(device)

    def find(candidates: FloatArray, targets: FloatArray) -> BoolArray:
        found = find_subsets(library.asarray(candidates), library.asarray(targets), size=size, effort=effort)
        selected: BoolArray = found.selected if device == "cpu" else found.selected.get()
        return selected

    return find
