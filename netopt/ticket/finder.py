"""The subset-sum search as tickets call it, on the CPU or on a GPU."""

from __future__ import annotations

from netopt.arrays import BoolArray, FloatArray
from netopt.gpu.device import array_library
from netopt.subset_sum.search import Effort, find_subsets
from netopt.ticket.search import Finder


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
