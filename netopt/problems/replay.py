"""A point counts once it is replayed: rounded to float32 inside its domain, in float64 and by onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from netopt.arrays import FloatArray
from netopt.network.network import Network
from netopt.problems.goal import Goal
from netopt.problems.results import Witness
from netopt.specification.rounding import round_inward

if TYPE_CHECKING:
    from netopt.network.replay import OnnxReplay

#: A point that misses the property by no more than this is reported, never as `sat`.
NEAR = 1e-4


class Grade(IntEnum):
    """How good a replayed point is, worst first."""

    FAILS = 0  # misses the property by more than `NEAR`
    NEAR = 1  # satisfies it within `NEAR` in onnxruntime
    FLOAT64 = 2  # satisfies it exactly in float64, but not in onnxruntime
    SATISFIES = 3  # satisfies it exactly in both


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """A replayed point; `witness` holds the outputs that the original file gives."""

    grade: Grade
    witness: Witness


@dataclass(frozen=True, eq=False)
class Replayer:
    """Replays points on `network` and, where it was read from a file, on that file."""

    network: Network

    @property
    def has_original(self) -> bool:
        """Whether there is a file to replay on."""
        return self.network.source is not None

    @cached_property
    def _original(self) -> OnnxReplay:
        from netopt.network.replay import OnnxReplay

        return OnnxReplay(self.network)

    def best(self, goal: Goal, points: FloatArray, origin: str) -> Replay | None:
        """Return the best of some points for a goal, and note its t; None when none has a float32 neighbour inside.

        Parameters
        ----------
        points : (k, n) in or near the goal's domain.
        origin : where they come from.
        """
        inside, kept = round_inward(goal.domain, points)
        inside = inside[kept]
        if not inside.size:
            return None
        y = self.network.forward(inside)
        value = goal.objective.value(inside, y)
        k = int(np.argmax(value))
        x = inside[k]
        goal.replayed(float(value[k]), x, origin)
        return self._grade(goal, x, y[k])

    def _grade(self, goal: Goal, x: FloatArray, y: FloatArray) -> Replay:
        conjunction = goal.objective.conjunction
        exact = bool(conjunction.satisfied(x[None], y[None])[0])
        if not (exact or conjunction.satisfied(x[None], y[None], 10.0 * NEAR)[0]):
            return Replay(Grade.FAILS, Witness(x, y))
        original = self._original.forward(x[None])[0] if self.has_original else y
        witness = Witness(x, original)
        if exact and conjunction.satisfied(x[None], original[None])[0]:
            return Replay(Grade.SATISFIES, witness)
        if exact:
            return Replay(Grade.FLOAT64, witness)
        near = bool(conjunction.satisfied(x[None], original[None], NEAR)[0])
        return Replay(Grade.NEAR if near else Grade.FAILS, witness)
