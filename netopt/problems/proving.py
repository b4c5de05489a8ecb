"""Proofs by an engine: one disjunct at a time, incumbents replayed as they come, time for each of the open ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.engines.engine import EngineResult, Maximization, NetworkSolver
from netopt.network.network import Network
from netopt.problems.goal import SOLVER_MARGIN, Goal
from netopt.problems.run import Halt, Run
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination

#: A solver may stop once its bound is this far below zero, a little beyond what counts as a proof.
BOUND_LIMIT = 1.01 * SOLVER_MARGIN
#: Share of the time left that a goal gets while others wait.
SHARE = 0.6
#: Seconds below which another attempt is not worth its set-up.
LEAST_SECONDS = 0.3
#: Terminations that a reader has to know of.
BROKEN = (Termination.MEMORY_LIMIT, Termination.NUMERICAL, Termination.ERROR, Termination.UNBOUNDED)

#: Called with a goal and an input that may satisfy it; halts the run once that decides the verdict.
Candidate = Callable[[Goal, FloatArray], None]


@dataclass(frozen=True, slots=True)
class Prover:
    """Proves goals empty with an engine, or finds their points.

    Attributes
    ----------
    network : whose outputs the goals are about.
    engine : does the work.
    parameters : threads, seed and memory; limits are set for each attempt.
    run : clock, interrupt and record.
    stage : name of the attempts in the record.
    bounds : returns the pre-activation bounds over a goal's domain.
    candidate : replays incumbents.
    """

    network: Network
    engine: NetworkSolver
    parameters: SolverParameters
    run: Run
    stage: str
    bounds: Callable[[Goal], PreactivationBounds]
    candidate: Candidate

    def prove(self, goals: list[Goal]) -> None:
        """Try every goal, in order, then the ones that ran out of their share for what the others left over.

        One disjunct left open is as bad as all of them, so a goal may take much of the time left; not all, for a later
        one may be satisfiable.
        """
        pending = goals
        while pending:
            again = []
            for k, goal in enumerate(pending):
                left = self.run.remaining
                if left is not None and left < LEAST_SECONDS:
                    self.run.reason = Halt.TIME_LIMIT
                    return
                last = k == len(pending) - 1
                share = left if left is None or last else SHARE * left
                if self._attempt(goal, share) is Termination.TIME_LIMIT and not goal.closed:
                    again.append(goal)
            pending = again

    def _attempt(self, goal: Goal, seconds: float | None) -> Termination:
        """Maximise t of one goal and note what that proves."""
        with self.run.stage(self.stage) as record:
            record |= {"case": goal.case, "disjunct": goal.disjunct}
            answer = self.engine.maximize(
                Maximization(
                    self.network,
                    goal.domain,
                    goal.objective,
                    self.bounds(goal),
                    replace(self.parameters, time_limit=seconds, bound_limit=BOUND_LIMIT),
                    on_point=lambda point: self.candidate(goal, point),
                    interrupt=self.run.halt,
                )
            )
            record |= summary(answer)
        if answer.point is not None:
            self.candidate(goal, answer.point)
        self._judge(goal, answer)
        return answer.termination

    def _judge(self, goal: Goal, answer: EngineResult) -> None:
        goal.termination = answer.termination
        if answer.termination is Termination.INFEASIBLE:
            goal.contradiction = (
                f"{answer.name} calls {goal.label} infeasible, but every input of a non-empty domain has an output;"
                " its tolerances do not suit the model"
            )
        elif answer.termination in BROKEN:
            self.run.note(f"{answer.name} ended on {goal.label} with {answer.termination.value}: {answer.message}")
        if answer.dual_bound < np.inf:
            goal.claimed(answer.dual_bound, answer.name)


def summary(answer: EngineResult) -> dict[str, object]:
    """Return what the record of a stage says of an engine's answer."""
    return {
        "solver": answer.name,
        "termination": answer.termination.value,
        "dual_bound": answer.dual_bound if np.isfinite(answer.dual_bound) else None,
        "build_seconds": answer.build_seconds,
        "nodes": answer.nodes,
        "rows": answer.rows,
        "columns": answer.columns,
        "binaries": answer.binaries,
    }
