"""From the trails of searches to one forest and its leaves, without what proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.proof.closed_parts import ClosedParts
from netopt.proof.forest import Forest
from netopt.proof.recorder import Tree

_NONE = np.empty(0, dtype=np.int64)
_Place = Callable[[IntArray], IntArray]


@dataclass(frozen=True, slots=True, eq=False)
class _Events:
    """Splits of several trees, whose nodes are numbered through."""

    parent: IntArray
    first: IntArray
    second: IntArray
    variable: NDArray[np.int32]
    value: FloatArray


def gather(trees: Sequence[Tree]) -> tuple[Forest, ClosedParts]:
    """Return the trees that close a disjunct over their whole domain, where no earlier one does."""
    names, offset = _named(trees)
    case = [np.full(len(tree.trail.roots), tree.case) for tree in trees]
    roots = [place(np.array(tree.trail.roots, dtype=np.int64)) for tree, place in zip(trees, names, strict=True)]
    events = _events(trees, names)
    every = np.concatenate([_NONE, *case]), np.concatenate([_NONE, *roots])
    forest, number = _by_level(*every, events, offset)
    leaves = _leaves(trees, names)
    useful = _useful(forest, leaves.at(number[leaves.node]))
    if not useful.all():
        forest, number = _by_level(every[0][useful], every[1][useful], events, offset)
    return forest, leaves.at(number[leaves.node])


def closed_by_trees(forest: Forest, leaves: ClosedParts) -> set[tuple[int, int]]:
    """Return (case, disjunct) that trees close over the whole domain."""
    root, disjunct = np.nonzero(_whole(forest, leaves))
    return set(zip(forest.case[root].tolist(), disjunct.tolist(), strict=True))


def _whole(forest: Forest, leaves: ClosedParts) -> BoolArray:
    """Return which disjuncts each tree closes over its whole domain, (trees, disjuncts)."""
    disjuncts = int(leaves.disjunct.max(initial=-1)) + 1
    return forest.covered(leaves.closed(forest.nodes, disjuncts))[: forest.case.size]


def _useful(forest: Forest, leaves: ClosedParts) -> BoolArray:
    """Return which roots close a disjunct that no earlier one closes."""
    whole = _whole(forest, leaves)
    proved: set[tuple[int, int]] = set()
    useful = np.zeros(forest.case.size, dtype=bool)
    for root, case in enumerate(forest.case.tolist()):
        new = {(case, int(disjunct)) for disjunct in np.flatnonzero(whole[root])} - proved
        useful[root] = bool(new)
        proved |= new
    return useful


def _named(trees: Sequence[Tree]) -> tuple[list[_Place], int]:
    """Return for each tree what makes numbers of its own into numbers of all, and how many there are."""
    places, nodes = [], 0
    for tree in trees:
        names = _names(tree)
        places.append(_placer(names, nodes))
        nodes += names.size
    return places, nodes


def _leaves(trees: Sequence[Tree], places: Sequence[_Place]) -> ClosedParts:
    leaves, where, disjuncts = [], [], []
    for tree, place in zip(trees, places, strict=True):
        leaves += tree.trail.leaves
        where += [place(leaf.part) for leaf in tree.trail.leaves]
        disjuncts += [np.array(tree.disjuncts, dtype=np.int64)[leaf.objective] for leaf in tree.trail.leaves]
    return ClosedParts.stacked(leaves, where, disjuncts)


def _names(tree: Tree) -> IntArray:
    """Return the numbers that the parts of a tree have in its trail, ascending."""
    trail = tree.trail
    found = [np.array(trail.roots, dtype=np.int64), *(leaf.part for leaf in trail.leaves)]
    for split in trail.splits:
        found += [split.parent, split.first, split.second]
    return np.unique(np.concatenate(found))


def _placer(names: IntArray, start: int) -> _Place:
    return lambda name: start + np.searchsorted(names, name)


def _events(trees: Sequence[Tree], places: Sequence[_Place]) -> _Events:
    parent, first, second, variable, value = [_NONE], [_NONE], [_NONE], [_NONE], [np.empty(0)]
    for tree, place in zip(trees, places, strict=True):
        for split in tree.trail.splits:
            parent.append(place(split.parent))
            first.append(place(split.first))
            second.append(place(split.second))
            variable.append(split.variable)
            value.append(split.value)
    return _Events(
        np.concatenate(parent),
        np.concatenate(first),
        np.concatenate(second),
        np.concatenate(variable).astype(np.int32),
        np.concatenate(value),
    )


def _by_level(case: IntArray, roots: IntArray, events: _Events, nodes: int) -> tuple[Forest, IntArray]:
    """Return the forest, its nodes numbered level by level, and the number of every node (-1: not reached)."""
    event_of = np.full(nodes, -1)
    event_of[events.parent] = np.arange(events.parent.size)
    number = np.full(nodes, -1)
    order, front, given = [_NONE], roots, 0
    while front.size:
        number[front] = np.arange(given, given + front.size)
        given += front.size
        now = event_of[front]
        now = now[now >= 0]
        order.append(now)
        front = np.stack([events.first[now], events.second[now]], axis=1).ravel()
    chosen = np.concatenate(order)
    return Forest(case, number[events.parent[chosen]], events.variable[chosen], events.value[chosen]), number
