r"""Which values that are affine are written into their readers instead of being kept as neurons.

A value with r weights of its own that c others read costs r + c weights; written into its readers, at most r c. For
several values at once the readers gain at most (readers touched) x (values touched) weights, which is what makes a
whole layer collapse into a smaller matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.network.convolution import Convolution
from netopt.network.linear_map import LinearMap
from netopt.network.nodes import Affine
from netopt.reduction.maps import fan_in, fan_out, largest_weight, pattern
from netopt.reduction.plan import Plan

#: Products of weights beyond this are not formed.
_LARGEST = 1e300


@dataclass(frozen=True, slots=True, eq=False)
class Readers:
    """The Affines that read a node, as far as they are kept.

    Attributes
    ----------
    patterns : the maps with which they do, with ones for weights.
    rows : which of their rows are kept, one mask a map.
    largest : their largest absolute weight.
    convolution : whether one of the maps is a convolution.
    """

    patterns: tuple[LinearMap, ...]
    rows: tuple[BoolArray, ...]
    largest: float
    convolution: bool

    @classmethod
    def of(cls, plan: Plan, name: str) -> Readers:
        """Collect the readers of the node called `name`."""
        found: list[tuple[Affine, int]] = [
            (node, k) for node in plan.network.affines for k, source in enumerate(node.inputs) if source == name
        ]
        found = [(node, k) for node, k in found if plan.keep[node.name].any()]
        return cls(
            patterns=tuple(plan.patterns[node.name][k] for node, k in found),
            rows=tuple(plan.keep[node.name] for node, _ in found),
            largest=max((largest_weight(plan.maps[node.name][k]) for node, k in found), default=0.0),
            convolution=any(isinstance(plan.maps[node.name][k], Convolution) for node, k in found),
        )

    def counts(self, size: int) -> FloatArray:
        """Return how many kept rows read each value, (size,)."""
        total = np.zeros(size)
        for of_pattern, rows in zip(self.patterns, self.rows, strict=True):
            total += fan_out(of_pattern, rows)
        return total

    def touched(self, values: BoolArray) -> int:
        """Return how many kept rows read any of some values."""
        pairs = zip(self.patterns, self.rows, strict=True)
        return sum(int((fan_in(of_pattern, values)[rows] > 0.0).sum()) for of_pattern, rows in pairs)


def choose_merged(maps: list[LinearMap], where: BoolArray, readers: Readers, candidates: BoolArray) -> BoolArray:
    """Return which of a ReLU's candidates (size,) are written into its readers.

    Parameters
    ----------
    maps : the affine value over what it reads, one row for each neuron in `where`.
    where : (size,) the neurons that have a row.
    """
    chosen = np.zeros(where.size, dtype=bool)
    if not candidates.any() or not _can_merge(maps, readers):
        return chosen
    own, read = _own_counts(maps, where), readers.counts(where.size)
    saved = float((own + read)[candidates].sum())
    if _group_cost(maps, where, readers, candidates, own, read) <= saved:
        return candidates
    chosen[candidates] = (own * read <= own + read)[candidates]
    return chosen


def choose_merged_channels(
    maps: list[LinearMap], where: BoolArray, readers: Readers, candidates: BoolArray, pixels: int
) -> BoolArray:
    """Return the same for channels of `pixels` neurons each, all or none, between convolutions.

    Values made by a 1x1 convolution are written into the convolutions that read them where these store no more then.
    """
    chosen = np.zeros(where.size, dtype=bool)
    mixed = [m for m in maps if isinstance(m, Convolution) and m.pointwise]
    read = [m for m in readers.patterns if isinstance(m, Convolution) and m.groups == 1]
    if not mixed or len(mixed) < len(maps) or len(read) < len(readers.patterns) or where.size % pixels:
        return chosen
    channels = np.logical_and.reduce(candidates.reshape(-1, pixels), axis=1)
    if mixed[0].out_size // mixed[0].out_shape[0] != pixels or not channels.any():
        return chosen
    rows = channels[where.reshape(-1, pixels)[:, 0]]
    own = sum(int(np.count_nonzero(m.weight[rows])) for m in mixed)
    kernels = [m.weight.shape[0] * m.weight.shape[2] * m.weight.shape[3] for m in read]
    saved = own + sum(kernels) * int(np.count_nonzero(channels))
    if sum(kernels) * sum(m.in_shape[0] for m in mixed) <= saved:
        chosen = np.repeat(channels, pixels)
    return chosen


def inlining_pays(maps: list[LinearMap], kept: BoolArray, readers: Readers, relu_rows: int) -> bool:
    """Return whether a whole Affine is better written into the Affines that read it (`relu_rows` of it go to ReLUs)."""
    if not _can_merge(maps, readers):
        return False
    own, read = _own_counts(maps, kept), readers.counts(kept.size)
    cost = _group_cost(maps, kept, readers, kept, own, read)
    relu_weights = own[kept].mean() * relu_rows
    return bool(cost + relu_weights <= float((own + read)[kept].sum()) + relu_rows)


def _can_merge(maps: list[LinearMap], readers: Readers) -> bool:
    if readers.convolution or any(isinstance(m, Convolution) for m in maps):
        return False
    largest = max((largest_weight(m) for m in maps), default=0.0)
    sizes = sum(m.out_size for m in maps)
    return bool(max(largest, 1.0) < _LARGEST / max(readers.largest, 1.0) / max(sizes, 1))


def _own_counts(maps: list[LinearMap], where: BoolArray) -> FloatArray:
    own = np.zeros(where.size)
    own[where] = sum((fan_in(pattern(m), np.ones(m.in_size, dtype=bool)) for m in maps), np.zeros(int(where.sum())))
    return own


def _group_cost(
    maps: list[LinearMap], where: BoolArray, readers: Readers, group: BoolArray, own: FloatArray, read: FloatArray
) -> float:
    """Return at most how many weights the readers gain when all of a group is written into them."""
    touched = sum(int((fan_out(pattern(m), group[where]) > 0.0).sum()) for m in maps)
    return min(float((own * read)[group].sum()), float(readers.touched(group) * touched))
