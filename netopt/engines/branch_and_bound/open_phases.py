"""The open parts of ReLU splitting."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.parts import Parts
from netopt.engines.branch_and_bound.branching import NONE, TRIED


@dataclass(frozen=True, slots=True, eq=False)
class OpenPhases:
    """Parts of a domain with the phases of some ReLUs fixed, each about one objective.

    Attributes
    ----------
    parts : and what bounds them.
    bound : (count,) proven, of each part's objective.
    tried : (count, k) neurons worth a split, see `netopt.engines.branch_and_bound.branching.candidates`.
    fresh : (count,) whether a part was never bounded.
    number : (count,) in the proof log.
    objectives : number d of objectives.
    """

    parts: Parts
    bound: FloatArray
    tried: IntArray
    fresh: BoolArray
    number: IntArray
    objectives: int

    @classmethod
    def whole(cls, parts: Parts, number: IntArray, most: int = TRIED) -> OpenPhases:
        """Return parts, one an objective, of which nothing is known; `most` neurons are to be tried in each."""
        count = parts.count
        tried = np.full((count, min(most, max(1, parts.phase.shape[1]))), NONE)
        return cls(parts, np.full(count, np.inf), tried, np.ones(count, dtype=bool), number, count)

    @property
    def count(self) -> int:
        """Number of parts."""
        return self.parts.count

    @property
    def upper(self) -> FloatArray:
        """Bounds of all objectives, (count, d): -inf where a part is not about them."""
        upper = np.full((self.count, self.objectives), -np.inf)
        upper[np.arange(self.count), self.parts.objective] = self.bound
        return upper

    def take(self, which: IntArray | BoolArray | slice) -> OpenPhases:
        """Return some of the parts."""
        return OpenPhases(
            self.parts.take(which),
            self.bound[which],
            self.tried[which],
            self.fresh[which],
            self.number[which],
            self.objectives,
        )

    def then(self, other: OpenPhases) -> OpenPhases:
        """Return these parts followed by others."""
        return OpenPhases(
            self.parts.then(other.parts),
            np.concatenate([self.bound, other.bound]),
            np.concatenate([self.tried, other.tried]),
            np.concatenate([self.fresh, other.fresh]),
            np.concatenate([self.number, other.number]),
            self.objectives,
        )

    def halves(self, neuron: IntArray, number: IntArray) -> OpenPhases:
        """Return each part with its `neuron` (count,) fixed active, then each with it fixed inactive."""
        both = self.take(np.tile(np.arange(self.count), 2))
        return replace(both, parts=self.parts.halves(neuron), number=number)
