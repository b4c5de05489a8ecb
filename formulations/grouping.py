"""How the inputs of a neuron are split into groups, by their weights times their ranges (arXiv 2102.04373).

A rule takes the entries of a layer's weight matrix sorted by row: the row of each entry, its key ``w_i (U_i - L_i)``,
the number of rows and the number of groups N. It returns the group of each entry, 0 to N - 1. Like weights go together:
the relaxation is then closest to the hull. Ties are broken by position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from formulations.milp import FloatArray, IntArray

GroupingRule = Callable[[IntArray, FloatArray, int, int], IntArray]


def equal_size(rows: IntArray, key: FloatArray, row_count: int, groups: int) -> IntArray:
    """Cut the sorted keys of every row into groups whose sizes differ by one at most."""
    size = np.bincount(rows, minlength=row_count)
    return _rank(rows, key, size) * np.minimum(groups, size)[rows] // size[rows]


def equal_range(rows: IntArray, key: FloatArray, row_count: int, groups: int) -> IntArray:
    """Cut the range of the keys of every row into intervals of one length.

    From three groups on, the outer two take the smallest and the largest twentieth of the keys, so that outliers do not
    leave the inner intervals empty.
    """
    size = np.bincount(rows, minlength=row_count)
    rank = _rank(rows, key, size)
    outer = groups > 2
    tail = -(-size // 20) if outer else np.zeros_like(size)
    inner = (rank >= tail[rows]) & (rank < (size - tail)[rows])
    low, high = np.full(row_count, np.inf), np.full(row_count, -np.inf)
    np.minimum.at(low, rows[inner], key[inner])
    np.maximum.at(high, rows[inner], key[inner])
    number = np.where(rank < tail[rows], 0, groups - 1)
    width = np.where(high > low, high - low, 1.0)
    intervals = groups - 2 if outer else groups
    position = np.floor((key[inner] - low[rows[inner]]) / width[rows[inner]] * intervals).astype(np.int64)
    number[inner] = np.minimum(position, intervals - 1) + outer
    return number


def _rank(rows: IntArray, key: FloatArray, size: IntArray) -> IntArray:
    """Return the position of each entry among the sorted keys of its row."""
    order = np.lexsort((key, rows))
    first = np.cumsum(size) - size
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size) - first[rows]
    return rank


#: Every grouping rule, by its name.
GROUPINGS: Mapping[str, GroupingRule] = MappingProxyType({"equal-size": equal_size, "equal-range": equal_range})
