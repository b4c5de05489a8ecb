"""Parts of a domain, each about one objective, with the phases of some ReLUs fixed; plain arrays, to be pickled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import BoolArray, FloatArray, IntArray

#: float32. Typed so because linear maps name float64, and take both.
SingleArray = NDArray[Any]
PhaseArray = NDArray[np.int8]


@dataclass(slots=True, eq=False)
class Parts:
    """Parts and what was found to bound them; the columns are the neurons that are unstable over the whole domain.

    Attributes
    ----------
    objective : (parts,) the objective each part is about.
    phase : (parts, neurons): 1 where the neuron is fixed active, -1 inactive, 0 free.
    slope : (parts, neurons) alpha, in [0, 1].
    multiplier : (parts, neurons) beta, non-negative; where the neuron is free what `halves` begins with, or zero: how
        far its coefficient is below zero.
    weight : (parts, width) lambda, what each row of the objective counts; non-negative, their sum about 1.
    """

    objective: IntArray
    phase: PhaseArray
    slope: SingleArray
    multiplier: SingleArray
    weight: FloatArray

    @property
    def count(self) -> int:
        """Number of parts."""
        return len(self.phase)

    def take(self, which: IntArray | BoolArray | slice) -> Parts:
        """Return some of the parts."""
        return Parts(
            self.objective[which], self.phase[which], self.slope[which], self.multiplier[which], self.weight[which]
        )

    def in_single(self) -> Parts:
        """Return the parts with slopes and multipliers in single precision."""
        slope, multiplier = self.slope.astype(np.float32), self.multiplier.astype(np.float32)
        return Parts(self.objective, self.phase, slope, multiplier, self.weight)

    def put(self, which: IntArray | BoolArray | slice, other: Parts) -> None:
        """Replace what was found to bound some of the parts by what another copy of them holds."""
        self.slope[which], self.multiplier[which] = other.slope, other.multiplier
        self.weight[which] = other.weight

    def halves(self, neuron: IntArray, which: IntArray | None = None) -> Parts:
        """Return each part with its `neuron` (parts,) fixed active, then each with it fixed inactive.

        With `which` (k,) the k neurons are those of these parts; a part may be there several times.

        A coefficient ``-m < 0`` of ``max(0, z)`` became ``-alpha m`` of z. With the multiplier ``(1 - alpha) m`` it
        does so in the active half too, with ``alpha m`` in the inactive one: neither begins above its part's bound.
        """
        rows = np.arange(self.count) if which is None else which
        both = self.take(np.tile(rows, 2))
        both.phase[np.arange(both.count), np.tile(neuron, 2)] = np.repeat(np.array([1, -1], np.int8), rows.size)
        below, slope = self.multiplier[rows, neuron], self.slope[rows, neuron]
        both.multiplier[np.arange(both.count), np.tile(neuron, 2)] = np.concatenate(
            [below * (1.0 - slope), below * slope]
        )
        return both

    def then(self, other: Parts) -> Parts:
        """Return these parts followed by others."""
        return Parts(
            np.concatenate([self.objective, other.objective]),
            np.concatenate([self.phase, other.phase]),
            np.concatenate([self.slope, other.slope]),
            np.concatenate([self.multiplier, other.multiplier]),
            np.concatenate([self.weight, other.weight]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class PartBounds:
    """What is known of the objective over each of some parts.

    Attributes
    ----------
    upper : (parts,) sound bounds.
    points : (parts, n) members of the domain where the last linear function is largest.
    looseness : (parts, neurons) what each free ReLU's line adds to the bound; -inf where nothing is to be split.
    """

    upper: FloatArray
    points: FloatArray
    looseness: FloatArray
