"""The mask step on a GPU: a segmented radix select (select_cuda.cu has the passes and what bounds them)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from netopt.arrays import IntArray, array_namespace
from netopt.errors import InputError
from netopt.gpu.kernels import Kernels
from netopt.pruning.harp.pieces import THREADS, pieces_of

KERNELS = Kernels(Path(__file__).with_suffix(".cu"))
_HIGH_BINS, _LOW_BINS = 2048, 1024
#: Blocks that walk a layer's candidates, at most.
_BLOCKS = 64
#: Counters of a layer that are cleared at once, and where results go: the three digits' histograms; the blocks that are
#: through; the candidates; the digits chosen; how many of the last bin are wanted, and how many are in it.
_COUNTERS = (_HIGH_BINS, _LOW_BINS, _LOW_BINS, 3, 1, 3, 1, 1)


class GpuSelector:
    """Selects from layers of one layout; holds the memory that takes, 8 bytes a weight besides the mask.

    Parameters
    ----------
    library : cupy.
    offsets : (layers + 1,) where each layer begins; on the host.

    Raises
    ------
    InputError
        A layer has more weights than counters can count.
    """

    def __init__(self, library: Any, offsets: IntArray) -> None:
        layers = offsets.size - 1
        self._cut, self._size = pieces_of(library, offsets), int(offsets[-1])
        self._bits, self._place = (library.empty(self._size, "u4") for _ in range(2))
        self._nan = library.zeros(1, "u8")
        self._counters = library.zeros(sum(_COUNTERS) * layers, "u4")
        ends = (layers * np.cumsum((0, *_COUNTERS))).tolist()
        self._parts = [self._counters[begin:end] for begin, end in pairwise(ends)]
        self._keep: IntArray | None = None
        self._wanted: Any = None

    def keep_largest(self, scores: Any, keep: IntArray) -> Any:
        """Return the mask, as `netopt.pruning.harp.select.Selector` does; NaN is only counted."""
        library = array_namespace(scores)
        bits = as_bits(library, scores, "scores")
        if self._keep is None or not np.array_equal(self._keep, keep):
            self._keep, self._wanted = keep.copy(), library.asarray(keep.astype(np.uint32))
        self._counters.fill(0)
        high, middle, low, arrived, candidates, bins, left, inside = self._parts
        arrived, bins = arrived.reshape(3, -1), bins.reshape(3, -1)
        mask, cut, size = library.empty(self._size, "u1"), self._cut, np.int64(self._size)
        place = (bits, size, cut.layer, cut.begin, cut.end, cut.counts)
        grid = (min(_BLOCKS, cut.most), keep.size)

        KERNELS.launch(
            "count_high", cut.count, THREADS,
            (*place, self._wanted, high, arrived[0], bins[0], left, inside, self._nan),
        )  # fmt: skip
        KERNELS.launch(
            "split", cut.count, THREADS,
            (*place, cut.offsets, bins[0], mask, self._bits, self._place, candidates, middle, arrived[1], bins[1],
             left, inside),
        )  # fmt: skip
        KERNELS.launch(
            "count_low", grid, THREADS,
            (cut.offsets, self._bits, candidates, bins[1], low, arrived[2], bins[2], left, inside),
        )  # fmt: skip
        KERNELS.launch(
            "mark", grid, THREADS,
            (cut.offsets, self._bits, self._place, candidates, bins[1], bins[2], left, inside, mask),
        )  # fmt: skip
        KERNELS.launch(
            "mark_ties", keep.size, THREADS,
            (bits, size, cut.offsets, bins[0], bins[1], bins[2], left, inside, mask),
        )  # fmt: skip
        return mask.view(bool)

    def count_nan(self) -> int:
        """Return how many scores were NaN since the last call; waits for the GPU."""
        count = int(self._nan[0])
        if count:
            self._nan.fill(0)
        return count


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
