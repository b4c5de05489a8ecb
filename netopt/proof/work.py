"""What a checker still has to show: disjuncts over parts of a domain."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import Entries, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Work(Entries):
    """Goals to be shown closed over parts.

    Attributes
    ----------
    node : (k,) of the forest; -1 for a domain without a tree.
    goal : (k,) number of the disjunct among all.
    lower, upper : (k, n) boxes.
    added : (k,) splits that the checker made itself below the node.
    known_lower, known_upper : (k, neurons) bounds of the inputs of all ReLUs, side by side, over the parts above and so
        over these; (k, 0) where none are kept.
    """

    node: IntArray
    goal: IntArray
    lower: FloatArray
    upper: FloatArray
    added: IntArray
    known_lower: NDArray[np.float32]
    known_upper: NDArray[np.float32]

    @classmethod
    def whole(cls, node: IntArray, goal: IntArray, lower: FloatArray, upper: FloatArray, neurons: int) -> Work:
        """Return parts of which nothing is known yet, with room for bounds of so many neurons."""
        known = np.full((node.size, neurons), np.inf, dtype=np.float32)
        return cls(node, goal, lower, upper, np.zeros(node.size, dtype=np.int64), -known, known)

    @property
    def count(self) -> int:
        """Number of entries k."""
        return int(self.node.size)

    @property
    def keeps(self) -> bool:
        """Whether bounds of neurons are kept."""
        return self.known_lower.size > 0

    def at(self, node: IntArray) -> Work:
        """Return the entries at other nodes."""
        return replace(self, node=node)

    def within(self, lower: FloatArray, upper: FloatArray) -> Work:
        """Return the entries with other boxes."""
        return replace(self, lower=lower, upper=upper)

    def knowing(self, lower: FloatArray, upper: FloatArray) -> Work:
        """Return the entries with other bounds of neurons (k, neurons), rounded outward."""
        with np.errstate(over="ignore", under="ignore"):
            low, high = lower.astype(np.float32), upper.astype(np.float32)
        low = np.where(low > lower, np.nextafter(low, np.float32(-np.inf)), low)
        high = np.where(high < upper, np.nextafter(high, np.float32(np.inf)), high)
        return replace(self, known_lower=low, known_upper=high)

    def below(self) -> Work:
        """Return the entries as parts that a split of the checker's own makes."""
        return replace(self, added=self.added + 1)

    def cut(self, axis: IntArray, value: FloatArray, low: IntArray, high: IntArray) -> Work:
        """Return the parts below and above `value`, at nodes `low` and `high`, without those that are empty."""
        row = np.arange(self.count)
        upper, lower = self.upper.copy(), self.lower.copy()
        upper[row, axis] = np.minimum(upper[row, axis], value)
        lower[row, axis] = np.maximum(lower[row, axis], value)
        both = replace(self, node=low, upper=upper).then(replace(self, node=high, lower=lower))
        return both.take(np.flatnonzero((both.lower <= both.upper).all(axis=1)))

    def regions(self, phase: NDArray[np.int8] | None) -> tuple[IntArray, IntArray | None]:
        """Return entries with all the different boxes, and which of these each entry has (None: the only one).

        Parameters
        ----------
        phase : (k, neurons) fixed in the parts; where bounds are kept that makes every such entry different.
        """
        alone = np.zeros(self.count)
        if self.keeps and phase is not None:
            alone = np.where(phase.any(axis=1), 1.0 + np.arange(self.count), 0.0)
        corners = np.concatenate([self.lower, self.upper, alone[:, None]], axis=1)
        if (corners == corners[0]).all():
            return np.zeros(1, dtype=np.int64), None
        _, first, owner = np.unique(corners, axis=0, return_index=True, return_inverse=True)
        return first, owner.reshape(-1)
