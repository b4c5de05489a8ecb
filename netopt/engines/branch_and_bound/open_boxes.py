"""The open parts of a search that splits boxes, in pieces, so that taking some of them does not move the others."""

from __future__ import annotations

import numpy as np

from netopt.arrays import FloatArray
from netopt.engines.branch_and_bound.box_parts import BoxParts

#: Bytes of open parts above which those found last are taken first: then their number hardly grows.
_MOST_BYTES = 2**28


class OpenBoxes:
    """Pieces of open parts, each sorted by bound; the piece with the highest bound is taken first.

    Parameters
    ----------
    parts : to begin with.
    piece : parts in a piece.
    """

    def __init__(self, parts: BoxParts, piece: int) -> None:
        self._none, self._piece = parts.take(slice(0, 0)), piece
        self._pieces: list[BoxParts] = []
        self._highest: list[float] = []
        self.count = 0
        self.push(parts)

    def push(self, parts: BoxParts) -> None:
        """Add parts."""
        parts = parts.take(np.argsort(-parts.value, kind="stable"))
        for first in reversed(range(0, parts.count, self._piece)):
            piece = parts.take(slice(first, first + self._piece))
            self._pieces.append(piece)
            self._highest.append(float(piece.value[0]))
        self.count += parts.count

    def pop(self, most: int) -> BoxParts:
        """Take up to `most` parts, those with the highest bounds while there is room for the others."""
        taken = self._none
        while self._pieces and taken.count < most:
            heavy = self.count * self._none.bytes_each > _MOST_BYTES
            which = len(self._pieces) - 1 if heavy else int(np.argmax(self._highest))
            piece = self._pieces.pop(which)
            self._highest.pop(which)
            self.count -= piece.count
            room = most - taken.count
            if piece.count > room:
                self.push(piece.take(slice(room, None)))
            taken = taken.then(piece.take(slice(0, room)))
        return taken

    def all(self) -> BoxParts:
        """Return all parts."""
        parts = self._none
        return parts.join(self._pieces)

    def upper(self) -> FloatArray:
        """Return the largest bound of each objective, (d,)."""
        largest: FloatArray = np.full(self._none.objectives, -np.inf)
        for piece in self._pieces:
            np.maximum.at(largest, piece.objective, piece.value)
        return largest
