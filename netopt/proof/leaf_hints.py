"""What a proof log says of the leaves, looked up by node and disjunct."""

from __future__ import annotations

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.proof.closed_parts import ClosedParts
from netopt.proof.forest import Forest
from netopt.proof.judge import Hints


class LeafHints:
    """Numbers that may close leaves.

    Parameters
    ----------
    goal : (L,) numbers of the leaves' disjuncts among all.
    goals, neurons : how many disjuncts and ReLU neurons there are.
    """

    def __init__(self, forest: Forest, leaves: ClosedParts, goal: IntArray, goals: int, neurons: int) -> None:
        self._forest, self._leaves, self._neurons, self._goals = forest, leaves, neurons, goals
        self._phases = bool((forest.variable < 0).any())
        key = leaves.node * goals + goal
        self._order = np.argsort(key, kind="stable")
        self._key = key[self._order]

    def find(self, node: IntArray, goal: IntArray) -> IntArray:
        """Return the leaves about goals (k,) over nodes (k,); -1 where there is none."""
        key = node * self._goals + goal
        at = np.minimum(np.searchsorted(self._key, key), max(self._key.size - 1, 0))
        if not self._key.size:
            return np.full(node.size, -1)
        return np.where(self._key[at] == key, self._order[at], -1)

    def weights(self, leaf: IntArray) -> tuple[IntArray, FloatArray]:
        """Return which of the leaves (-1: none) have weights of their rows, and these."""
        row = np.where(leaf >= 0, self._leaves.weights_row[leaf], -1) if self._leaves.node.size else leaf
        which = np.flatnonzero(row >= 0)
        return which, self._leaves.weights[row[which]]

    def of(self, node: IntArray, leaf: IntArray) -> Hints:
        """Return the phases of nodes, and the slopes and multipliers of their leaves (-1: none)."""
        if not self._phases and not len(self._leaves.slopes):
            return Hints()
        phase = self._forest.phases(np.maximum(node, 0), self._neurons) if self._phases else None
        slope = self._wide(self._leaves.slope_row, self._leaves.slopes.astype(np.float64), leaf, np.nan)
        beta = self._leaves.multipliers.astype(np.float64)
        return Hints(phase, slope, self._wide(self._leaves.multiplier_row, beta, leaf, 0.0))

    def _wide(self, rows: IntArray, table: FloatArray, leaf: IntArray, otherwise: float) -> FloatArray | None:
        """Return table rows of leaves with a column for every neuron."""
        if not len(table):
            return None
        wide = np.full((leaf.size, self._neurons), otherwise)
        row = np.where(leaf >= 0, rows[leaf], -1)
        which = np.flatnonzero(row >= 0)
        wide[which[:, None], self._leaves.neurons] = table[row[which]]
        return wide
