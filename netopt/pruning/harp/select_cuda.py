"""The mask step on a GPU: a segmented radix select (select_cuda.cu has the passes and what bounds them)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from netopt.arrays import IntArray
from netopt.errors import InputError
from netopt.gpu.device import import_cupy
from netopt.gpu.kernels import Kernels
from netopt.pruning.harp.pieces import THREADS, pieces_of
from netopt.pruning.harp.select import nan_error

KERNELS = Kernels(Path(__file__).with_suffix(".cu"))
_HIGH_BINS, _LOW_BINS = 2048, 1024
#: Blocks that walk a layer's candidates, at most.
_BLOCKS = 64


def keep_largest(scores: Any, offsets: IntArray, keep: IntArray) -> Any:
    """Return which scores are among the largest of their layer, as `netopt.pruning.harp.select.keep_largest` does.

    Takes 8 bytes of memory a weight while it runs, besides the mask.
    """
    library = import_cupy()
    bits = as_bits(library, scores, "scores")
    layers, size = keep.size, np.int64(scores.size)
    cut = pieces_of(library, offsets)
    place = (bits, size, cut.layer, cut.begin, cut.end, cut.counts)
    nan, high, middle, low, arrived, candidates, bins, left, inside = _counters(library, layers)
    listed, where, mask = (library.empty(scores.size, kind) for kind in ("u4", "u4", "u1"))
    wanted = library.asarray(keep.astype(np.uint32))

    KERNELS.launch("count_high", cut.count, THREADS, (*place, wanted, high, arrived[0], bins[0], left, inside, nan))
    found = (mask, listed, where, candidates)
    KERNELS.launch(
        "split", cut.count, THREADS,
        (*place, cut.offsets, bins[0], *found, middle, arrived[1], bins[1], left, inside),
    )  # fmt: skip
    grid = (min(_BLOCKS, cut.most), layers)
    KERNELS.launch(
        "count_low", grid, THREADS,
        (cut.offsets, listed, candidates, bins[1], low, arrived[2], bins[2], left, inside),
    )  # fmt: skip
    KERNELS.launch(
        "mark", grid, THREADS,
        (cut.offsets, listed, where, candidates, bins[1], bins[2], left, inside, mask),
    )  # fmt: skip
    KERNELS.launch(
        "mark_ties", layers, THREADS,
        (bits, size, cut.offsets, bins[0], bins[1], bins[2], left, inside, mask),
    )  # fmt: skip
    if nans := int(nan[0]):
        raise nan_error(nans)
    return mask.view(bool)


def _counters(library: Any, layers: int) -> tuple[Any, ...]:
    """Return counters at zero, cut from one array that is cleared at once, and where results go.

    They are: NaN; the three digits' histograms; the blocks that are through; the candidates; the digits chosen; how
    many of the last bin are wanted, and how many are in it.
    """
    rows = (
        2,
        _HIGH_BINS * layers,
        _LOW_BINS * layers,
        _LOW_BINS * layers,
        3 * layers,
        layers,
        3 * layers,
        layers,
        layers,
    )
    ends = np.cumsum((0, *rows)).tolist()
    counters = library.zeros(ends[-1], "u4")
    nan, *parts = (counters[begin:end] for begin, end in pairwise(ends))
    high, middle, low, arrived, candidates, bins, left, inside = parts
    return nan.view("u8"), high, middle, low, arrived.reshape(3, -1), candidates, bins.reshape(3, -1), left, inside


def as_bits(library: Any, values: Any, what: str) -> Any:
    """Return float32 values as the bits they are stored in, without a copy where they are contiguous.

    Raises
    ------
    InputError
        They are not float32.
    """
    if values.dtype != np.float32:
        raise InputError(f"{what} on a GPU have to be float32, not {values.dtype}; convert them first")
    return library.ascontiguousarray(values).view("u4")
