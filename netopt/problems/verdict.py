"""From what is known of every disjunct to a verdict. Whatever is not earned is `unknown` or `timeout`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netopt.network.network import Network
from netopt.problems.goal import SOLVER_MARGIN, Goal
from netopt.problems.hunting import Hunt
from netopt.problems.replay import NEAR, Grade
from netopt.problems.results import VerificationResult, VerificationStatus
from netopt.problems.run import Halt, Run
from netopt.solvers.result import Termination

if TYPE_CHECKING:
    from netopt.problems.confirmation import Confirmation

#: Open disjuncts that the notices describe one by one.
_DESCRIBED = 5


def verdict(
    run: Run,
    network: Network | None,
    hunt: Hunt | None,
    goals: Sequence[Goal],
    confirmation: Confirmation | None,
) -> VerificationResult:
    """Return the answer.

    Parameters
    ----------
    network, hunt : None when the call ended before the files were read.
    goals : every disjunct of every case with a domain that is not empty.
    confirmation : of another solver, None where none was asked for or reached.
    """
    status = _status(run, hunt, goals, confirmation)
    sat = status is VerificationStatus.SAT
    found = hunt.found if hunt is not None and sat else None
    close = (
        hunt.close if hunt is not None and status in (VerificationStatus.UNKNOWN, VerificationStatus.TIMEOUT) else None
    )
    leader = max(goals, key=lambda goal: goal.best, default=None)
    origin = hunt.origin if hunt is not None and sat else "" if leader is None else leader.origin
    proved_by = {goal.proved_by for goal in goals if goal.proved_by}
    return VerificationResult(
        status=status,
        network_sha256=None if network is None else network.sha256,
        primal_bound=_known(max((goal.best for goal in goals), default=-np.inf)),
        dual_bound=_known(max((goal.upper for goal in goals), default=np.inf)),
        witness=None if found is None else found.witness,
        near_witness=None if close is None else close.witness,
        stages=run.record(),
        proved_by=tuple(sorted(proved_by)) if goals or hunt is None else ("empty domain",),
        notices=tuple(run.notices),
        halted=None if sat else run.reason,
        seconds=run.seconds,
        origin=origin or None,
        confirmed_by=confirmation.solver if confirmation is not None and confirmation.confirmed else None,
    )


def _status(
    run: Run, hunt: Hunt | None, goals: Sequence[Goal], confirmation: Confirmation | None
) -> VerificationStatus:
    if hunt is not None and hunt.found is not None:
        if not hunt.replayer.has_original:
            run.note("the network was made in memory: the witness was replayed in float64 only")
        return VerificationStatus.SAT
    contradictions = _contradictions(goals, confirmation)
    for sentence in contradictions:
        run.note(f"contradiction: {sentence}")
    if hunt is not None and not contradictions and all(goal.closed for goal in goals):
        return VerificationStatus.UNSAT
    if run.reason is Halt.TIME_LIMIT and not contradictions:
        return VerificationStatus.TIMEOUT
    if run.reason is Halt.INTERRUPTED:
        run.note("interrupted before it was decided")
    _explain(run, hunt, goals)
    return VerificationStatus.UNKNOWN


def _known(bound: float) -> float | None:
    return bound if np.isfinite(bound) else None


def _contradictions(goals: Sequence[Goal], confirmation: Confirmation | None) -> list[str]:
    """Return every claim that another contradicts."""
    sentences = [goal.contradiction for goal in goals if goal.contradiction]
    sentences += [
        f"{goal.proved_by} bounds the slack of {goal.label} by {goal.upper:.9g}, but {goal.best:.9g} was replayed"
        for goal in goals
        if goal.closed and goal.best >= 0.0
    ]
    if confirmation is not None and confirmation.disagreement:
        sentences.append(confirmation.disagreement)
    return sentences


def _explain(run: Run, hunt: Hunt | None, goals: Sequence[Goal]) -> None:
    """Say of the open disjuncts what is known."""
    if hunt is not None and hunt.close is not None:
        within = "in float64 but not in onnxruntime" if hunt.close.grade is Grade.FLOAT64 else f"within {NEAR:g} only"
        run.note(f"near_witness satisfies the property {within}")
    finished = [goal for goal in goals if not goal.closed and goal.termination is Termination.OPTIMAL]
    for goal in finished[:_DESCRIBED]:
        if goal.upper <= -SOLVER_MARGIN:
            run.note(f"the largest slack of {goal.label} is within solver tolerance of zero: {goal.upper:.3g}")
        else:
            run.note(
                f"the largest slack of {goal.label} is at most {goal.upper:.6g}, and no replayed point satisfies it:"
                f" the best misses by {-goal.best:.3g}"
            )
