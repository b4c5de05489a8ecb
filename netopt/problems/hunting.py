"""Looking for a point that satisfies a disjunct; every candidate is replayed, the first that passes ends the call."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from netopt.arrays import FloatArray
from netopt.problems.goal import Goal
from netopt.problems.replay import Grade, Replay, Replayer
from netopt.problems.run import Run
from netopt.specification.property import Case

if TYPE_CHECKING:
    from netopt.attack.gradient_ascent import AttackResult
    from netopt.engines.branch_and_bound.team import Team

#: Seconds that a climb from a solver's incumbent may take.
_POLISH_SECONDS = 1.0
#: Seconds for replays of an attack's points that miss by more than `_FAR`.
_REPLAY_SECONDS = 0.5
_FAR = 1e-3
#: A solver's incumbent whose replayed t is below this is not climbed from.
_POLISH_FROM = -0.1


class Effort(StrEnum):
    """How long an attack looks."""

    SHORT = "short"  # a fraction of a second: finds what is easy to find before any bound that takes longer
    LONG = "long"  # several rounds of restarts, before a solver is asked
    ROUND = "round"  # one of these rounds, so that something else can be done between them


#: Effort -> (rounds of restarts, share of the time left, most seconds) for all cases together.
_BUDGETS: dict[Effort, tuple[int, float, float]] = {
    Effort.SHORT: (1, 0.05, 0.6),
    Effort.LONG: (4, 0.15, 10.0),
    Effort.ROUND: (1, 0.04, 2.5),
}


@dataclass(slots=True, eq=False)
class Hunt:
    """The search for a witness. Any thread may offer points.

    Attributes
    ----------
    replayer : judges the points.
    run : halted once a witness is found.
    seed : of the random starts.
    found : the witness.
    origin : where the witness comes from.
    close : the best point that passes in float64 only, or within 1e-4 only.
    lock : held while points are judged.
    """

    replayer: Replayer
    run: Run
    seed: int
    found: Replay | None = None
    origin: str = ""
    close: Replay | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    _generator: np.random.Generator | None = None

    @property
    def generator(self) -> np.random.Generator:
        """Generator of the random starts; NumPy's are loaded with the first attack."""
        if self._generator is None:
            self._generator = np.random.default_rng(self.seed)
        return self._generator

    def offer(self, goal: Goal, points: FloatArray, origin: str | None = None) -> Replay | None:
        """Replay points (k, n) for a goal and keep the best; None when none of them can be used.

        Parameters
        ----------
        origin : where the points come from; None for the stage under way.
        """
        source = self.run.current if origin is None else origin
        with self.lock:
            replay = None if self.found is not None else self.replayer.best(goal, points, source)
            if replay is None or replay.grade is Grade.FAILS:
                return replay
            if replay.grade is Grade.SATISFIES:
                self.found, self.origin = replay, source
                self.run.halt.set()
            elif self.close is None or replay.grade > self.close.grade:
                self.close = replay
        return replay

    def candidate(self, goal: Goal, point: FloatArray) -> None:
        """Replay a solver's incumbent (n,), and climb from it into the interior where it just misses."""
        before = goal.best
        replay = self.offer(goal, point[None])
        if self.found is not None or (replay is not None and goal.best < max(before, _POLISH_FROM)):
            return
        if goal.best > before or replay is None:
            self._climb([goal], time.monotonic() + self.run.share(0.1, _POLISH_SECONDS), rounds=1, starts=point[None])

    def attack(self, cases: Sequence[Sequence[Goal]], effort: Effort, team: Team | None = None, made: int = 0) -> None:
        """Climb towards every goal of every case, the cases sharing the time that `effort` allows.

        Parameters
        ----------
        team : processes that do this while the caller goes on, where they are ready.
        made : rounds that were made before; each climbs twice as many points as the one before.
        """
        rounds, share, most = _BUDGETS[effort]
        seconds = self.run.share(share, most)
        if team is not None and team.ready():
            self._attack_beside(cases, seconds, rounds, team)
            return
        end = time.monotonic() + seconds
        for k, goals in enumerate(cases):
            self.run.check()
            now = time.monotonic()
            if now >= end:
                return
            self._climb(goals, now + (end - now) / (len(cases) - k), rounds, _starts(goals), made)
        self.run.check()

    def _attack_beside(self, cases: Sequence[Sequence[Goal]], seconds: float, rounds: int, team: Team) -> None:
        from netopt.problems.joint_attack import attack_beside

        def heard(results: Sequence[AttackResult]) -> None:
            for goals, result in zip(cases, results, strict=False):  # a process may not come to all cases
                self._take(goals, result, "attack")

        attack_beside(
            self.replayer.network,
            [_case(goals) for goals in cases],
            team,
            generator=self.generator,
            seconds=seconds,
            starts=[_starts(goals) for goals in cases],
            rounds=rounds,
            heard=heard,
        )

    def _climb(
        self, goals: Sequence[Goal], deadline: float, rounds: int, starts: FloatArray | None, made: int = 0
    ) -> None:
        """Attack the goals of one case and replay the best point of each."""
        from netopt.attack.gradient_ascent import attack_case

        result = attack_case(
            self.replayer.network,
            _case(goals),
            generator=self.generator,
            deadline=deadline,
            starts=starts,
            interrupt=self.run.halt,
            rounds=rounds,
            made=made,
        )
        self._take(goals, result)

    def _take(self, goals: Sequence[Goal], result: AttackResult, origin: str | None = None) -> None:
        """Replay the best points of the goals of one case, the most promising first.

        Those that miss by far only start later attacks: with hundreds of goals and a large network, replaying them may
        take longer than the attack.
        """
        end = time.monotonic() + _REPLAY_SECONDS
        order = np.argsort(-result.values, kind="stable")
        for number, k in enumerate(order):
            far = result.values[k] < -_FAR
            if self.found is not None or (number and far and time.monotonic() >= end):
                return
            if np.isfinite(result.values[k]):
                self.offer(goals[k], result.points[k][None], origin)


def _case(goals: Sequence[Goal]) -> Case:
    return Case(goals[0].domain, tuple(goal.objective.conjunction for goal in goals))


def _starts(goals: Sequence[Goal]) -> FloatArray | None:
    starts = [goal.best_point for goal in goals if goal.best_point is not None]
    return np.array(starts) if starts else None
