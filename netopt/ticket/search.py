r"""Which filters of the random network stay: one subset-sum problem for every channel and sign.

With :math:`x = x^+ - x^-`, and of block t the filters :math:`S_t^+` kept that have a positive weight in U, those
:math:`S_t^-` that have a negative one,

.. math:: V * \mathrm{relu}(U_B * x) = \sum_t \Big[ \sum_{j \in S_t^+} U_j V_j \Big] * x_t^+
          + \Big[ \sum_{j \in S_t^-} |U_j| V_j \Big] * x_t^- .

So the first sum has to come close to the target's kernel :math:`K_t`, the second to :math:`-K_t`. The candidates
:math:`|U_j| V_j` are products of two float32 numbers, exact in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.ticket.layers import LearnedBias, LearnedMap
from netopt.ticket.random_network import RandomPair

#: Candidates (problems, n, D) and targets (problems, D) -> the subsets chosen, (problems, n).
Finder = Callable[[FloatArray, FloatArray], BoolArray]
#: Called with the key of a map and how many of its problems have been solved, of how many.
Advance = Callable[[str, int, int], None]

#: Field of `Subsets` -> the axis along which channels follow each other.
_CHANNEL_AXES = {"kept": 0, "usable": 1, "channel": 0, "lift": 0, "filters": 0, "sums": 1, "magnitude": 1}
#: Numbers of the candidates of all problems that are searched together.
_TOGETHER = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Subsets:
    """What is kept of one random pair of layers.

    Attributes
    ----------
    pair : the random layers.
    kept : (channels, 2n) which filters stay.
    usable : (2, channels) how many filters the positive and the negative problem of a channel choose from; 0 for none.
    channel, lift, filters : (m,), (m,), (m, D) input channel, weight in U and slice of V of each filter kept.
    sums : (2, channels, D) the sum of ``|lift| * filter`` over what the positive and the negative problem keep.
    magnitude : (2, channels, D) the same of the absolute values.
    """

    pair: RandomPair
    kept: BoolArray
    usable: IntArray
    channel: IntArray
    lift: FloatArray
    filters: FloatArray
    sums: FloatArray
    magnitude: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class FoundMap:
    """A learned map and what stands for it."""

    learned: LearnedMap
    subsets: Subsets


@dataclass(frozen=True, slots=True, eq=False)
class FoundBias:
    """A learned bias and what stands for it: one channel, which is constant."""

    learned: LearnedBias
    subsets: Subsets


def find_map(learned: LearnedMap, pair: RandomPair, find: Finder, advance: Advance) -> FoundMap:
    """Choose the filters that stand for a learned map."""
    signs = np.stack([learned.positive, learned.negative])
    return FoundMap(learned, _find(pair, learned.targets, signs, find, lambda n, of: advance(learned.key, n, of)))


def find_bias(learned: LearnedBias, pair: RandomPair, find: Finder, advance: Advance) -> FoundBias:
    """Choose the filters that stand for a learned bias."""
    signs = np.array([[True], [False]])
    key = f"{learned.node.name}.bias"
    return FoundBias(learned, _find(pair, learned.targets[None], signs, find, lambda n, of: advance(key, n, of)))


def _find(
    pair: RandomPair, targets: FloatArray, signs: BoolArray, find: Finder, advance: Callable[[int, int], None]
) -> Subsets:
    total = int(np.count_nonzero(signs))
    parts = []
    done = 0
    for channels, (lift, filters) in _chunks(pair):
        part = _Chunk(pair, lift, filters, targets[channels], signs[:, channels])
        parts.append(part.solve(find, channels.start))
        done += int(np.count_nonzero(part.signs))
        advance(done, total)
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts], axis) for name, axis in _CHANNEL_AXES.items()
    }
    return Subsets(pair, **joined)


def _chunks(pair: RandomPair) -> Iterator[tuple[slice, tuple[FloatArray, FloatArray]]]:
    step = max(1, _TOGETHER // (2 * pair.width * pair.entries))
    for k, block in enumerate(pair.blocks(step)):
        yield slice(k * step, k * step + block[0].shape[0]), block


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    """The problems of some channels: their blocks, targets (channels, D), and signs (2, channels) that are wanted."""

    pair: RandomPair
    lift: FloatArray
    filters: FloatArray
    targets: FloatArray
    signs: BoolArray

    def solve(self, find: Finder, first: int) -> Subsets:
        """Solve them; `first` is the number of the first channel."""
        usable = np.stack([self.lift > 0.0, self.lift < 0.0]) & self.signs[:, :, None]
        candidates = np.abs(self.lift)[:, :, None] * self.filters
        kept = np.zeros(usable.shape, dtype=bool)
        side, channel = np.nonzero(usable.any(axis=2))
        if side.size:
            kept[side, channel] = self._choose(find, usable[side, channel], candidates, side, channel)
        sums = np.matmul(kept.transpose(1, 0, 2).astype(np.float64), candidates).transpose(1, 0, 2)
        magnitude = np.matmul(kept.transpose(1, 0, 2).astype(np.float64), np.abs(candidates)).transpose(1, 0, 2)
        stays = np.logical_or.reduce(kept, axis=0)
        channel, number = np.nonzero(stays)
        return Subsets(
            pair=self.pair,
            kept=stays,
            usable=np.count_nonzero(usable, axis=2),
            channel=channel + first,
            lift=self.lift[channel, number],
            filters=self.filters[channel, number],
            sums=sums,
            magnitude=magnitude,
        )

    def _choose(
        self, find: Finder, usable: BoolArray, candidates: FloatArray, side: IntArray, channel: IntArray
    ) -> BoolArray:
        """Return which filters each problem keeps, (problems, 2n); the finder sees usable ones first, zeros after."""
        width = int(np.count_nonzero(usable, axis=1).max())
        order = np.argsort(~usable, axis=1, kind="stable")[:, :width]
        packed = candidates[channel[:, None], order]
        there = np.take_along_axis(usable, order, axis=1)
        packed[~there] = 0.0
        wanted = np.where(side == 0, 1.0, -1.0)[:, None] * self.targets[channel]
        chosen = find(packed, wanted) & there
        kept = np.zeros(usable.shape, dtype=bool)
        np.put_along_axis(kept, order, chosen, axis=1)
        return kept
