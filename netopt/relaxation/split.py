r"""Which weights of a layer become slack, and which come back.

A weight contributes ``|w_ij|`` times the width of what flows through it to the range of its row. In each row the
smallest contributions go first; a weight's *budget* is what has then gone, as a share of the row's whole range. All
rows get the same budget: the weights of a layer with the smallest budgets are replaced, as many as the rate says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.network.nodes import Affine
from netopt.network.sparse import Sparse
from netopt.relaxation.remainder import Remainder
from netopt.relaxation.support import Support


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """The weights of some rows of an Affine: source, row, column and value of each, sorted by row."""

    source: IntArray
    row: IntArray
    column: IntArray
    value: FloatArray

    @classmethod
    def of(cls, affine: Affine, rows: BoolArray) -> _Entries:
        parts = [sparse.coo_array(linear_map.to_csr()) for linear_map in affine.maps]
        source = np.repeat(np.arange(len(parts)), [part.nnz for part in parts])
        row = np.concatenate([part.coords[0] for part in parts]).astype(np.int64)
        column = np.concatenate([part.coords[1] for part in parts]).astype(np.int64)
        value = np.concatenate([part.data for part in parts])
        order = np.argsort(row, kind="stable")
        order = order[rows[row[order]]]
        return cls(source[order], row[order], column[order], value[order])

    def part(self, affine: Affine, chosen: BoolArray) -> Affine:
        """Return the chosen weights as an Affine of their own."""
        maps = []
        for k, linear_map in enumerate(affine.maps):
            mine = chosen & (self.source == k)
            shape = (affine.size, linear_map.in_size)
            entries = (self.value[mine], (self.row[mine], self.column[mine]))
            maps.append(Sparse(sparse.csr_array(sparse.coo_array(entries, shape=shape))))
        return Affine(f"{affine.name}.pruned", affine.inputs, tuple(maps), np.zeros(affine.size))


def split_rows(affine: Affine, support: Support, rows: BoolArray, rate: float) -> Affine:
    """Return the part of some rows that becomes slack.

    Parameters
    ----------
    rows : (size,) the rows to take from.
    rate : fraction of their weights to replace, in [0, 1]; exact to one weight, ties by position.
    """
    entries = _Entries.of(affine, rows)
    count = round(rate * entries.value.size)
    chosen = np.zeros(entries.value.size, dtype=bool)
    if 0 < count < chosen.size:
        chosen[np.argsort(_budgets(affine, support, entries), kind="stable")[:count]] = True
    else:
        chosen[:] = count > 0
    return entries.part(affine, chosen)


def _budgets(affine: Affine, support: Support, entries: _Entries) -> FloatArray:
    """Return the share of its row's range that is gone once a weight and all smaller ones of the row are."""
    widths = [support.width(source) for source in affine.inputs]
    first = np.cumsum([0, *(width.size for width in widths[:-1])])
    share = np.abs(entries.value) * np.concatenate(widths)[first[entries.source] + entries.column]
    order = np.lexsort((share, entries.row))
    gone = np.cumsum(share[order])
    begins = np.searchsorted(entries.row, np.arange(affine.size + 1))
    totals = np.concatenate([[0.0], gone])[begins]
    row = entries.row
    whole = np.diff(totals)[row]
    budgets = np.empty(share.size)
    budgets[order] = gone - totals[:-1][row]  # sorting by row first keeps the rows in place
    return np.divide(budgets, whole, out=np.zeros(share.size), where=whole > 0.0)


def put_back(affine: Affine, remainder: Remainder, gap: FloatArray, share: float) -> Affine:
    """Return the pruned part less whole rows, those with the largest `gap` (size,) first.

    Parameters
    ----------
    gap : how far each slack is from the pruned part it stands for.
    share : fraction of the pruned weights that come back at least, in (0, 1].
    """
    count = sum((linear_map.fan_in for linear_map in remainder.part.maps), np.zeros(affine.size, dtype=np.int64))
    order = np.argsort(-np.where(count > 0, gap, -np.inf), kind="stable")
    before = np.cumsum(count[order]) - count[order]
    stays = np.zeros(affine.size, dtype=bool)
    stays[order] = before >= share * count.sum()
    entries = _Entries.of(remainder.part, stays)
    return entries.part(affine, np.ones(entries.value.size, dtype=bool))
