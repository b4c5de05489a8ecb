"""The trees of a proof log as arrays: which part was split or cut how, and which box and phases that leaves each.

Nodes 0 … T - 1 are the roots. Events come in the order of their parents, and their children are numbered in the order
of the events: a split makes two, a cut one. So children come after their parents, and there is nothing to be trusted
in the numbering.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import BoolArray, FloatArray, IntArray

#: What `variable` is at a cut.
CUT = np.iinfo(np.int32).min


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees.

    Attributes
    ----------
    case : (T,) the case whose domain each root is.
    parent, variable, value : (E,) an event each: the axis >= 0 that is cut at `value`, ``-1 - neuron``, or `CUT`.
    cut_lower, cut_upper : (cuts, n) the boxes left by the cuts, in order.
    """

    case: IntArray
    parent: IntArray
    variable: NDArray[np.int32]
    value: FloatArray
    cut_lower: FloatArray
    cut_upper: FloatArray

    @cached_property
    def is_cut(self) -> BoolArray:
        """Which events are cuts, (E,)."""
        return np.asarray(self.variable == CUT)

    @cached_property
    def first_child(self) -> IntArray:
        """The first child of every event, (E,)."""
        children = np.where(self.is_cut, 1, 2)
        return self.case.size + np.cumsum(children) - children

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return int(self.case.size + 2 * self.parent.size - np.count_nonzero(self.is_cut))

    @cached_property
    def event(self) -> IntArray:
        """The event that made each node, -1 for roots, (N,)."""
        made = np.repeat(np.arange(self.parent.size), np.where(self.is_cut, 1, 2))
        return np.concatenate([np.full(self.case.size, -1), made])

    @cached_property
    def tree(self) -> IntArray:
        """The tree of each node, (N,)."""
        tree = np.arange(self.nodes)
        for events in self.levels():
            children, made_by = self.children(events)
            tree[children] = tree[self.parent[made_by]]
        return tree

    def well_formed(self) -> bool:
        """Return whether every event splits a node that is there before it, and none is split twice."""
        return bool((self.parent >= 0).all() and (np.diff(self.parent) > 0).all()) and bool(
            (self.parent < self.first_child).all()
        )

    def levels(self) -> Iterator[IntArray]:
        """Yield the events level by level, from the roots."""
        first, end = 0, self.case.size
        while first < self.parent.size:
            last = int(np.searchsorted(self.parent, end))
            yield np.arange(first, last)
            end = int(self.first_child[last - 1] + (1 if self.is_cut[last - 1] else 2))
            first = last

    def children(self, events: IntArray) -> tuple[IntArray, IntArray]:
        """Return the children of events, and the event of each."""
        split = events[~self.is_cut[events]]
        return (
            np.concatenate([self.first_child[events], self.first_child[split] + 1]),
            np.concatenate([events, split]),
        )

    def boxes(self, nodes: IntArray, lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the boxes (k, n) of nodes, being inside those of their roots, given as (k, n)."""
        lower, upper = lower.copy(), upper.copy()
        cut_number = np.cumsum(self.is_cut) - 1
        for row, event, second in self._upwards(nodes):
            variable = self.variable[event]
            axis = variable >= 0
            above, below = axis & second, axis & ~second
            at = row[above], variable[above]
            lower[at] = np.maximum(lower[at], self.value[event[above]])
            at = row[below], variable[below]
            upper[at] = np.minimum(upper[at], self.value[event[below]])
            cut = variable == CUT
            box = cut_number[event[cut]]
            lower[row[cut]] = np.maximum(lower[row[cut]], self.cut_lower[box])
            upper[row[cut]] = np.minimum(upper[row[cut]], self.cut_upper[box])
        return lower, upper

    def phases(self, nodes: IntArray, neurons: int) -> NDArray[np.int8]:
        """Return the phases (k, neurons) that splits fixed: 1 active, -1 inactive, 0 none."""
        phase = np.zeros((nodes.size, neurons), dtype=np.int8)
        for row, event, second in self._upwards(nodes):
            relu = (self.variable[event] < 0) & (self.variable[event] != CUT)
            phase[row[relu], -1 - self.variable[event[relu]]] = np.where(second[relu], -1, 1)
        return phase

    def _upwards(self, nodes: IntArray) -> Iterator[tuple[IntArray, IntArray, BoolArray]]:
        """Yield, step by step to the roots: positions in `nodes`, the events above, and which are second children."""
        row, node = np.arange(nodes.size), nodes
        while True:
            event = self.event[node]
            inner = event >= 0
            row, node, event = row[inner], node[inner], event[inner]
            if not row.size:
                return
            yield row, event, node > self.first_child[event]
            node = self.parent[event]

    def covered(self, closed: BoolArray, kept: BoolArray) -> BoolArray:
        """Return which objectives are closed over each node, (N, d), from what is closed at nodes themselves.

        Parameters
        ----------
        closed : (N, d).
        kept : (cuts, d) whether an objective is closed in what a cut took away.
        """
        covered = closed.copy()
        cut_number = np.cumsum(self.is_cut) - 1
        for events in reversed(list(self.levels())):
            split, cut = events[~self.is_cut[events]], events[self.is_cut[events]]
            first = self.first_child[split]
            covered[self.parent[split]] |= covered[first] & covered[first + 1]
            covered[self.parent[cut]] |= covered[self.first_child[cut]] & kept[cut_number[cut]]
        return covered
