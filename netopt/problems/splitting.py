"""Cases with few inputs proven by bisection, a slice of time at a go, before a solver is asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from netopt.arrays import FloatArray
from netopt.engines.bisection import Bisection
from netopt.network.network import Network
from netopt.problems.goal import Goal
from netopt.problems.hunting import Hunt
from netopt.problems.run import Run
from netopt.specification.box import Box

#: Boxes with more inputs than this that are not fixed are left to the solver.
MOST_INPUTS = 20
#: Up to this many inputs bisection is the better prover, and gets most of the time.
FEW_INPUTS = 8
#: Share of the time left, and boxes in all, for few inputs and for more.
_FEW, _MORE = (0.85, 200_000), (0.3, 5_000)
#: The first slice: what is easily proven is proven before a long attack.
_FIRST_SHARE, _FIRST_SECONDS, _FIRST_BOXES = 0.15, 3.0, 2_000


@dataclass(slots=True, eq=False)
class SplitProofs:
    """The bisections of a call, by case."""

    network: Network
    hunt: Hunt
    run: Run
    _proofs: dict[int, tuple[Sequence[Goal], Bisection]] = field(default_factory=dict)

    def suits(self, goals: Sequence[Goal]) -> bool:
        """Return whether the goals of a case are about a box with few inputs that are not fixed."""
        return type(goals[0].domain) is Box and _free_inputs(goals[0]) <= MOST_INPUTS

    def first_slice(self, cases: Sequence[Sequence[Goal]]) -> int:
        """Try every case shortly; return the number of boxes bounded so far."""
        end = time.monotonic() + self.run.share(_FIRST_SHARE, _FIRST_SECONDS)
        return self._advance(cases, end, _FIRST_BOXES)

    def main_slice(self, cases: Sequence[Sequence[Goal]]) -> int:
        """Go on for most of the time that bisection deserves; return the number of boxes bounded so far."""
        share, most = _FEW if max(_free_inputs(goals[0]) for goals in cases) <= FEW_INPUTS else _MORE
        left = self.run.remaining
        return self._advance(cases, None if left is None else time.monotonic() + share * left, most)

    def _advance(self, cases: Sequence[Sequence[Goal]], end: float | None, most_boxes: int) -> int:
        for k, goals in enumerate(cases):
            self.run.check()
            now = time.monotonic()
            deadline = None if end is None else now + max(0.0, end - now) / (len(cases) - k)
            tried, proof = self._proof(goals)
            proof.advance(deadline, self.run.halt.is_set, most_boxes)
            for goal, upper, closed in zip(tried, proof.upper, proof.closed, strict=True):
                goal.split(float(upper), closed=bool(closed))
        self.run.check()
        return sum(proof.boxes_bounded for _, proof in self._proofs.values())

    def _proof(self, goals: Sequence[Goal]) -> tuple[Sequence[Goal], Bisection]:
        """Return the bisection of a case, with the goals that were open when it began."""
        domain, case = goals[0].domain, goals[0].case
        if case not in self._proofs:
            assert isinstance(domain, Box)

            def probe(disjunct: int, points: FloatArray) -> None:
                self.hunt.glance(goals[disjunct], points)

            objectives = [goal.objective for goal in goals]
            self._proofs[case] = (goals, Bisection(self.network, domain, objectives, probe))
        return self._proofs[case]


def _free_inputs(goal: Goal) -> int:
    return int(np.count_nonzero(goal.domain.upper > goal.domain.lower))
