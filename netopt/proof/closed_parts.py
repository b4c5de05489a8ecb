"""The leaves of a proof log: which disjunct is closed over which node, and the numbers that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.proof.trail import Leaves

S = TypeVar("S", bound=np.generic)
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class ClosedParts:
    """Leaves of a forest.

    Attributes
    ----------
    node, disjunct : (L,).
    weights_row, slope_row, multiplier_row : (L,) row of `weights`, `slopes` and `multipliers`; -1 for none.
    weights : (k, rows) of the disjunct's normalised rows; see `netopt.proof.trail.Leaves`.
    slopes, multipliers : (k, columns); slopes are NaN where nothing is said.
    neurons : (columns,) the neurons, of all ReLUs side by side, that slopes and multipliers are about, ascending.
    """

    node: IntArray
    disjunct: IntArray
    weights_row: IntArray
    slope_row: IntArray
    multiplier_row: IntArray
    weights: FloatArray
    slopes: NDArray[np.float32]
    multipliers: NDArray[np.floating]
    neurons: IntArray

    @classmethod
    def stacked(cls, leaves: Sequence[Leaves], node: Sequence[IntArray], disjunct: Sequence[IntArray]) -> ClosedParts:
        """Return what several calls closed, one behind another."""
        neurons = np.unique(np.concatenate([_NONE, *(leaf.neurons for leaf in leaves)]))
        counts = [leaf.part.size for leaf in leaves]
        weights = [leaf.weights for leaf in leaves]
        widest = max((table.shape[1] for table in weights if table is not None), default=0)
        wide = [None if t is None else np.pad(t, ((0, 0), (0, widest - t.shape[1]))) for t in weights]
        weights_row, weights_table = _stacked(wide, counts, widest, np.float64)
        spread = [_spread(leaf.slope, leaf.neurons, neurons, np.nan) for leaf in leaves]
        slope_row, slopes = _stacked(spread, counts, neurons.size, np.float32)
        betas = [_spread(leaf.multiplier, leaf.neurons, neurons, 0.0) for leaf in leaves]
        multiplier_row, multipliers = _stacked(betas, counts, neurons.size, np.float32)
        return cls(
            np.concatenate([_NONE, *node]),
            np.concatenate([_NONE, *disjunct]),
            weights_row,
            slope_row,
            multiplier_row,
            weights_table,
            slopes,
            multipliers,
            neurons,
        )

    def at(self, node: IntArray) -> ClosedParts:
        """Return the leaves with other numbers (L,) of their nodes; those with -1 are left out."""
        which = node >= 0
        weights_row, weights = _used(self.weights_row[which], self.weights)
        slope_row, slopes = _used(self.slope_row[which], self.slopes)
        multiplier_row, multipliers = _used(self.multiplier_row[which], self.multipliers)
        return ClosedParts(
            node[which],
            self.disjunct[which],
            weights_row,
            slope_row,
            multiplier_row,
            weights,
            slopes,
            multipliers,
            self.neurons,
        )

    def closed(self, nodes: int, disjuncts: int) -> BoolArray:
        """Return which disjuncts these leaves close over which nodes, (nodes, disjuncts)."""
        closed = np.zeros((nodes, disjuncts), dtype=bool)
        closed[self.node, self.disjunct] = True
        return closed


def _spread(table: NDArray[S] | None, neurons: IntArray, every: IntArray, otherwise: float) -> NDArray[S] | None:
    """Return a table about neurons with a column for each of more neurons."""
    if table is None or np.array_equal(neurons, every):
        return table
    wide = np.full((len(table), every.size), otherwise, dtype=table.dtype)
    wide[:, np.searchsorted(every, neurons)] = table
    return wide


def _stacked(
    tables: Sequence[NDArray[S] | None], counts: Sequence[int], width: int, kind: type[S]
) -> tuple[IntArray, NDArray[S]]:
    """Return the row of every leaf in the tables put one behind another, and these."""
    rows, begun = [np.empty(0, dtype=np.int64)], 0
    for table, count in zip(tables, counts, strict=True):
        rows.append(np.full(count, -1) if table is None else np.arange(begun, begun + count))
        begun += 0 if table is None else count
    empty = np.empty((0, width), dtype=kind)
    return np.concatenate(rows), np.concatenate([empty, *(table for table in tables if table is not None)])


def _used(rows: IntArray, table: NDArray[S]) -> tuple[IntArray, NDArray[S]]:
    """Return rows of a table, numbered anew, and the table with only these."""
    used = rows >= 0
    return np.where(used, np.cumsum(used) - 1, -1), table[rows[used]]
