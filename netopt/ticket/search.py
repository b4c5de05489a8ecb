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
from dataclasses import dataclass, replace

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.ticket.carry import Carry
from netopt.ticket.layers import LearnedBias, LearnedMap
from netopt.ticket.random_network import RandomPair

#: Candidates (problems, n, D) and targets (problems, D) -> the subsets chosen, (problems, n).
Finder = Callable[[FloatArray, FloatArray], BoolArray]
#: Called with the name of a map or bias, how many of its problems have been solved, and how many there are.
Advance = Callable[[str, int, int], None]

#: Numbers of the candidates of all problems that are searched together.
_TOGETHER = 4_000_000
#: Into how many chunks channels are cut at least where errors are carried from one to the next.
_CHUNKS = 16
#: Field of `Subsets` -> the axis along which channels follow each other.
_CHANNEL_AXES = {"kept": 0, "usable": 1, "channel": 0, "lift": 0, "filters": 0, "sums": 1, "magnitude": 1}


@dataclass(frozen=True, slots=True, eq=False)
class Subsets:
    """What is kept of one random pair of layers.

    Attributes
    ----------
    pair : the random layers.
    kept : (channels, 2n) which filters stay.
    usable : (2, channels) how many filters the positive and the negative problem of a channel choose from; 0 for none.
    channel, lift, filters : (m,), (m,), (m, D) block, weight in U and slice of V of each filter kept.
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
class Chunk:
    """The problems of some channels of a map or bias.

    Attributes
    ----------
    key : name of the map or bias.
    first : number of the first channel.
    pair : the random layers; `lift`, (channels, 2n), and `filters`, (channels, 2n, D), are their weights here.
    targets : (2, channels, D) what the filters kept for either sign are to add up to.
    signs : (2, channels) which of a channel's two problems there are.
    """

    key: str
    first: int
    pair: RandomPair
    lift: FloatArray
    filters: FloatArray
    targets: FloatArray
    signs: BoolArray

    @property
    def usable(self) -> BoolArray:
        """Which filters each problem may keep, (2, channels, 2n)."""
        return np.stack([self.lift > 0.0, self.lift < 0.0]) & self.signs[:, :, None]

    @property
    def candidates(self) -> FloatArray:
        """What each filter adds to the kernel when it is kept, (channels, 2n, D)."""
        return np.abs(self.lift)[:, :, None] * self.filters

    def subsets(self, kept: BoolArray) -> Subsets:
        """Return what is kept where `kept`, (channels, 2n), says so."""
        usable, candidates = self.usable, self.candidates
        sides = (usable & kept).transpose(1, 0, 2).astype(np.float64)
        channel, number = np.nonzero(kept)
        return Subsets(
            pair=self.pair,
            kept=kept,
            usable=np.count_nonzero(usable, axis=2),
            channel=channel + self.first,
            lift=self.lift[channel, number],
            filters=self.filters[channel, number],
            sums=np.matmul(sides, candidates).transpose(1, 0, 2),
            magnitude=np.matmul(sides, np.abs(candidates)).transpose(1, 0, 2),
        )


#: The problems of some channels -> which filters stay, (channels, 2n).
Choose = Callable[[Chunk], BoolArray]


@dataclass(frozen=True, slots=True, eq=False)
class FoundMap:
    """A learned map and what stands for it."""

    learned: LearnedMap
    subsets: Subsets


@dataclass(frozen=True, slots=True, eq=False)
class FoundBias:
    """A learned bias and what stands for it: one channel, which is constant, one block a group."""

    learned: LearnedBias
    subsets: Subsets


def find_map(
    learned: LearnedMap, pair: RandomPair, choose: Choose, advance: Advance, carry: Carry | None = None
) -> FoundMap:
    """Choose the filters that stand for a learned map; `carry` lets channels make up for errors of those before."""
    signs = np.stack([learned.positive, learned.negative])
    together = _together(pair)
    if carry is not None:
        together = min(together, -(-learned.channels // _CHUNKS) * learned.groups)
    parts, done = [], 0
    for chunk in _chunks(
        learned.key, pair, learned.targets, signs, max(1, together // learned.groups) * learned.groups
    ):
        shifted = chunk if carry is None else replace(chunk, targets=chunk.targets + _shift(carry, chunk, learned))
        part = chunk.subsets(choose(shifted))
        if carry is not None:
            channels = chunk.first // learned.groups
            carry.add(channels, (part.sums - chunk.targets).reshape(2, -1, learned.groups * learned.entries))
        parts.append(part)
        done += int(np.count_nonzero(chunk.signs))
        advance(learned.key, done, int(np.count_nonzero(signs)))
    return FoundMap(learned, _joined(pair, parts))


def find_bias(learned: LearnedBias, pair: RandomPair, choose: Choose, advance: Advance) -> FoundBias:
    """Choose the filters that stand for a learned bias."""
    signs = np.repeat([[True], [False]], pair.channels, axis=1)
    parts, done = [], 0
    for chunk in _chunks(learned.key, pair, learned.targets, signs, _together(pair)):
        parts.append(chunk.subsets(choose(chunk)))
        done += chunk.lift.shape[0]
        advance(learned.key, done, pair.channels)
    return FoundBias(learned, _joined(pair, parts))


def searched(find: Finder, *, padded: bool = True) -> Choose:
    """Return the choice that solves the subset-sum problems; filters kept for either sign stay.

    Parameters
    ----------
    padded : problems with fewer filters than others are filled up with zero vectors; else all get as few as the
        smallest has, so that subsets of a fixed size have just that.
    """

    def choose(chunk: Chunk) -> BoolArray:
        usable = chunk.usable
        kept = np.zeros(usable.shape, dtype=bool)
        side, channel = np.nonzero(usable.any(axis=2))
        if side.size:
            wanted = chunk.targets[side, channel]
            kept[side, channel] = _packed(find, usable[side, channel], chunk.candidates, channel, wanted, padded)
        stays: BoolArray = np.logical_or.reduce(kept, axis=0)
        return stays

    return choose


def _shift(carry: Carry, chunk: Chunk, learned: LearnedMap) -> FloatArray:
    first, count = chunk.first // learned.groups, chunk.lift.shape[0] // learned.groups
    return carry.shift(first, count, learned.groups * learned.entries).reshape(chunk.targets.shape)


def _together(pair: RandomPair) -> int:
    return max(1, _TOGETHER // (2 * pair.width * pair.entries))


def _chunks(key: str, pair: RandomPair, targets: FloatArray, signs: BoolArray, step: int) -> Iterator[Chunk]:
    """Yield the problems of `step` blocks after another."""
    both = np.stack([targets, -targets])
    for k, (lift, filters) in enumerate(pair.blocks(step)):
        blocks = slice(k * step, k * step + lift.shape[0])
        yield Chunk(key, blocks.start, pair, lift, filters, both[:, blocks], signs[:, blocks])


def _joined(pair: RandomPair, parts: list[Subsets]) -> Subsets:
    return Subsets(
        pair, **{name: np.concatenate([getattr(part, name) for part in parts], k) for name, k in _CHANNEL_AXES.items()}
    )


def _packed(
    find: Finder, usable: BoolArray, candidates: FloatArray, channel: IntArray, wanted: FloatArray, padded: bool
) -> BoolArray:
    """Return which filters each problem keeps, (problems, 2n); the finder sees usable ones first, zeros after."""
    counts = np.count_nonzero(usable, axis=1)
    width = int(counts.max() if padded else counts.min())
    order = np.argsort(~usable, axis=1, kind="stable")[:, :width]
    packed = candidates[channel[:, None], order]
    there = np.take_along_axis(usable, order, axis=1)
    packed[~there] = 0.0
    kept = np.zeros(usable.shape, dtype=bool)
    np.put_along_axis(kept, order, find(packed, wanted) & there, axis=1)
    return kept
