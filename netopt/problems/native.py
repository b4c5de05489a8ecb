"""Cases proven by the native engine, a slice of time at a go; points that it comes across are replayed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from netopt.arrays import FloatArray
from netopt.problems.goal import Goal
from netopt.problems.hunting import Hunt
from netopt.problems.preparation import BoundsOfCases
from netopt.problems.run import Run
from netopt.problems.settings import Settings
from netopt.proof.trail import SILENT

if TYPE_CHECKING:
    from netopt.engines.branch_and_bound.lanes import Lanes
    from netopt.engines.branch_and_bound.search import Problem
    from netopt.proof.recorder import ProofRecorder

#: A bound of at most this is below zero.
NEGATIVE = float(np.nextafter(0.0, -1.0))
#: The first slice, alone and with several processes: what is easily proven is proven before a long attack.
_FIRST_SHARE, _FIRST_SECONDS, _FIRST_TOGETHER = 0.15, 3.0, 2.0
#: Seconds that a case gets in the first round, twice as many in every further one.
_FIRST_TURN = 5.0
#: Share of the time left for networks with more unstable neurons than this: a MILP solver has next to no chance there.
_NEARLY_ALL, _MANY_UNSTABLE = 0.97, 200


@dataclass(slots=True, eq=False)
class NativeProofs:
    """The searches of a call, by case.

    Attributes
    ----------
    settings : of the call.
    told : called when more is known.
    recorder : of the proof log, None without one.
    """

    hunt: Hunt
    run: Run
    bounds: BoundsOfCases
    settings: Settings
    told: Callable[[], None]
    recorder: ProofRecorder | None = None
    _cases: dict[int, Lanes] = field(default_factory=dict)

    def first_slice(self, cases: Sequence[Sequence[Goal]], number: int = 0) -> int:
        """Try every case shortly, twice as long each time; return the number of parts bounded so far.

        Cases of networks so large that the first parts would take longer are left to the main slice.
        """
        most = _FIRST_SECONDS if self.settings.team is None else _FIRST_TOGETHER
        seconds = self.run.share(_FIRST_SHARE, most * 2**number)
        quick = [goals for goals in cases if self.bounds.search_seconds(goals[0].case, len(goals)) <= seconds]
        return self._advance(quick, time.monotonic() + seconds)

    def main_slice(self, cases: Sequence[Sequence[Goal]]) -> int:
        """Go on for most of the time; return the number of parts bounded so far."""
        share, most = self.settings.native_share
        if cases and self.bounds.tight(cases[0][0]).unstable_count > _MANY_UNSTABLE:
            share = max(share, _NEARLY_ALL)
        bounded = self._advance(cases, time.monotonic() + self.run.share(share, most))
        if self.settings.team is not None:
            self.settings.team.ready()  # hands over what an attack beside has found
        return bounded

    def _advance(self, cases: Sequence[Sequence[Goal]], end: float) -> int:
        """Go round the cases in turns that grow until the time is `end`; what one leaves over is for the others."""
        pending, turn = list(cases), _FIRST_TURN
        while pending and time.monotonic() < end:
            again = []
            for k, goals in enumerate(pending):
                now = time.monotonic()
                share = max(0.0, end - now) / (len(pending) - k)
                if self._search(goals, now + (share if len(pending) == 1 else min(turn, share))):
                    again.append(goals)
            pending, turn = again, 2.0 * turn
        return sum(lanes.bounded for lanes in self._cases.values())

    def _search(self, goals: Sequence[Goal], deadline: float) -> bool:
        """Go on with a case until a value of `time.monotonic`; return whether it may be worth more time."""
        lanes = self._lanes(goals)
        lanes.advance(deadline)
        self.run.check()
        return not lanes.finished

    def _lanes(self, goals: Sequence[Goal]) -> Lanes:
        """Return the searches of a case, about the goals that were open when they began."""
        from netopt.engines.branch_and_bound.lanes import Lanes
        from netopt.engines.branch_and_bound.search import Problem

        case = goals[0].case
        if case in self._cases:
            return self._cases[case]
        objectives = tuple(goal.objective for goal in goals)
        domain, network = goals[0].domain, self.hunt.replayer.network
        bounds, trail = self.bounds.tight(goals[0]), SILENT
        if self.recorder is not None:
            self.recorder.preactivation_bounds(case, bounds.level, bounds.pairs)
            trail = self.recorder.search(case, [goal.disjunct for goal in goals])

        def note() -> None:
            for goal, upper, method in zip(goals, lanes.upper, lanes.method, strict=True):
                goal.covered(float(upper), method)
            self.told()

        problem = Problem(network, domain, bounds, objectives, trail, self.settings.device)
        watch = _Watch(problem, goals, self.hunt, self.run)
        lanes = Lanes(problem, watch, self.settings.open_bytes, self.settings.team, note)
        self._cases[case] = lanes
        return lanes


class _Watch:
    """The watch of the goals of one case."""

    def __init__(self, problem: Problem, goals: Sequence[Goal], hunt: Hunt, run: Run) -> None:
        from netopt.engines.branch_and_bound.scout import Scout

        self._goals, self._run = goals, run

        def found(objective: int, point: FloatArray) -> None:
            hunt.offer(goals[objective], point[None])

        self._scout = Scout(problem, found, run.halt.is_set)
        self._scout.best = np.array([goal.best for goal in goals])

    def enough(self) -> FloatArray:
        return np.array([np.inf if goal.closed else NEGATIVE for goal in self._goals])

    def stopped(self) -> bool:
        return self._run.halt.is_set()

    def seen(self, objective: int, points: FloatArray) -> None:
        self._scout.seen(objective, points)
