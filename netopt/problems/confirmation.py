"""A proof repeated by another solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netopt.problems.goal import Goal
from netopt.problems.proving import Prover
from netopt.solvers.result import Termination


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What another solver said of a proof.

    Attributes
    ----------
    solver : who repeated it.
    confirmed : whether it proved every disjunct empty too.
    disagreement : what it claims instead, empty where it claims nothing.
    """

    solver: str
    confirmed: bool
    disagreement: str = ""


def confirm(prover: Prover, goals: Sequence[Goal], *, exact: bool) -> Confirmation:
    """Prove every goal again with the prover's engine.

    Parameters
    ----------
    exact : whether the engine's formulation is; the optimum of a relaxation cannot disagree.
    """
    name = prover.engine.name
    again = [goal.unproved() for goal in goals]
    prover.prove(again)
    for goal in again:
        if goal.contradiction:
            return Confirmation(name, False, goal.contradiction)
        if exact and not goal.closed and goal.termination is Termination.OPTIMAL:
            return Confirmation(name, False, f"{name} bounds the slack of {goal.label} only by {goal.upper:.9g}")
    return Confirmation(name, all(goal.closed for goal in again))
