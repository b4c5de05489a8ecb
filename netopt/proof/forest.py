"""The trees of a proof log as arrays: which part was split how.

Nodes 0 … T - 1 are the roots. Splits come in the order of their parents, and split e makes the nodes ``T + 2 e`` and
``T + 2 e + 1``. So children come after their parents, and there is nothing to be trusted in the numbering.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees.

    Attributes
    ----------
    case : (T,) the case whose domain each root is.
    parent, variable, value : (E,) a split each: the axis >= 0 that is cut at `value`, or ``-1 - neuron``, which makes
        an active part and an inactive one.
    """

    case: IntArray
    parent: IntArray
    variable: NDArray[np.int32]
    value: FloatArray

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return self.case.size + 2 * self.parent.size

    @cached_property
    def split(self) -> IntArray:
        """The split of each node, -1 for leaves, (nodes,)."""
        split = np.full(self.nodes, -1)
        split[self.parent] = np.arange(self.parent.size)
        return split

    @cached_property
    def tree(self) -> IntArray:
        """The root of each node, (nodes,)."""
        tree = np.arange(self.nodes)
        for splits in self._levels():
            first = self.case.size + 2 * splits
            tree[first] = tree[first + 1] = tree[self.parent[splits]]
        return tree

    def well_formed(self) -> bool:
        """Return whether every split is of a node that is there before it, and none is split twice."""
        first = self.case.size + 2 * np.arange(self.parent.size)
        ascending = (np.diff(self.parent) > 0).all() and (self.parent >= 0).all()
        return bool(ascending and (self.parent < first).all())

    def phases(self, nodes: IntArray, neurons: int) -> NDArray[np.int8]:
        """Return the phases (k, neurons) that splits above nodes fixed: 1 active, -1 inactive, 0 none."""
        phase = np.zeros((nodes.size, neurons), dtype=np.int8)
        row, node = np.arange(nodes.size), nodes
        while row.size:
            inner = node >= self.case.size
            row, node = row[inner], node[inner]
            split, second = np.divmod(node - self.case.size, 2)
            variable = self.variable[split]
            relu = variable < 0
            phase[row[relu], -1 - variable[relu]] = np.where(second[relu] == 1, -1, 1)
            node = self.parent[split]
        return phase

    def covered(self, closed: BoolArray) -> BoolArray:
        """Return which disjuncts are closed over each node, (nodes, d), from what is closed at nodes themselves."""
        covered = closed.copy()
        for splits in reversed(list(self._levels())):
            first = self.case.size + 2 * splits
            covered[self.parent[splits]] |= covered[first] & covered[first + 1]
        return covered

    def _levels(self) -> Iterator[IntArray]:
        """Yield the splits level by level, from the roots."""
        first, end = 0, self.case.size
        while first < self.parent.size:
            last = int(np.searchsorted(self.parent, end))
            yield np.arange(first, last)
            first, end = last, self.case.size + 2 * last
