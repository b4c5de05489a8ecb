"""What a checker still has to show: disjuncts over parts of a domain."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """Goals to be shown closed over parts.

    Attributes
    ----------
    node : (k,) of the forest; -1 for a domain without a tree.
    goal : (k,) number of the disjunct among all.
    lower, upper : (k, n) boxes.
    added : (k,) splits that the checker made itself below the node.
    """

    node: IntArray
    goal: IntArray
    lower: FloatArray
    upper: FloatArray
    added: IntArray

    @property
    def count(self) -> int:
        """Number of entries k."""
        return int(self.node.size)

    def take(self, which: IntArray | BoolArray | slice) -> Work:
        """Return some of the entries."""
        return Work(*(getattr(self, field.name)[which] for field in fields(self)))

    def then(self, *others: Work) -> Work:
        """Return these entries followed by others."""
        every = (self, *others)
        return Work(*(np.concatenate([getattr(work, field.name) for work in every]) for field in fields(self)))

    def at(self, node: IntArray) -> Work:
        """Return the entries at other nodes."""
        return Work(node, self.goal, self.lower, self.upper, self.added)

    def below(self) -> Work:
        """Return the entries as parts that a split of the checker's own makes."""
        return Work(self.node, self.goal, self.lower, self.upper, self.added + 1)

    def cut(self, axis: IntArray, value: FloatArray, low: IntArray, high: IntArray) -> Work:
        """Return the parts below and above `value`, at nodes `low` and `high`, without those that are empty."""
        row = np.arange(self.count)
        upper, lower = self.upper.copy(), self.lower.copy()
        upper[row, axis] = np.minimum(upper[row, axis], value)
        lower[row, axis] = np.maximum(lower[row, axis], value)
        first = Work(low, self.goal, self.lower, upper, self.added)
        both = first.then(Work(high, self.goal, lower, self.upper, self.added))
        return both.take(np.flatnonzero((both.lower <= both.upper).all(axis=1)))

    def regions(self) -> tuple[FloatArray, FloatArray, IntArray | None]:
        """Return the different boxes, and which of them each entry has (None: the only one)."""
        corners = np.concatenate([self.lower, self.upper], axis=1)
        if (corners == corners[0]).all():
            return self.lower[:1], self.upper[:1], None
        unique, owner = np.unique(corners, axis=0, return_inverse=True)
        inputs = self.lower.shape[1]
        return unique[:, :inputs], unique[:, inputs:], owner.reshape(-1)
