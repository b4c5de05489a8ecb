"""The pieces that layers are cut into on a GPU: tiles of one size, cut again where a layer ends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from netopt.arrays import IntArray
from netopt.errors import InputError

#: Elements of a tile and threads of a block, as in blocks.cuh.
TILE = 4096
THREADS = 256
#: Counters are of 32 bits.
_LARGEST_LAYER = 2**32 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Arrays on the device.

    Attributes
    ----------
    count : number of pieces.
    layer, begin, end : (count,) the layer of each piece, int32, and where it begins and ends, int64.
    offsets : (layers + 1,) int64.
    first : (layers + 1,) the first piece of each layer, int32.
    counts : (layers,) pieces of each layer, uint32.
    most : the largest of `counts`.
    """

    count: int
    most: int
    layer: Any
    begin: Any
    end: Any
    offsets: Any
    first: Any
    counts: Any


def pieces_of(library: Any, offsets: IntArray) -> Pieces:
    """Return the pieces of layers that begin at `offsets`, on the device; the last few layouts are kept there.

    Raises
    ------
    InputError
        A layer has more weights than counters can count.
    """
    if np.diff(offsets).max() > _LARGEST_LAYER:
        raise InputError(f"a layer has {np.diff(offsets).max()} weights; {_LARGEST_LAYER} can be ranked at most")
    layout = np.asarray(offsets, dtype=np.int64).tobytes()
    return _pieces(library, layout, int(library.cuda.runtime.getDevice()))


@lru_cache(maxsize=8)
def _pieces(library: Any, layout: bytes, device: int) -> Pieces:
    offsets = np.frombuffer(layout, dtype=np.int64)
    begin = np.union1d(np.arange(0, offsets[-1], TILE, dtype=np.int64), offsets[:-1])
    layer = np.searchsorted(offsets, begin, side="right") - 1
    first = np.searchsorted(begin, offsets)
    return Pieces(
        begin.size,
        int(np.diff(first).max()),
        library.asarray(layer.astype(np.int32)),
        library.asarray(begin),
        library.asarray(np.append(begin[1:], offsets[-1])),
        library.asarray(offsets.copy()),
        library.asarray(first.astype(np.int32)),
        library.asarray(np.diff(first).astype(np.uint32)),
    )
