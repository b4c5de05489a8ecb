"""What is known while a relaxed engine goes from rung to rung, and what its solver said last."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from formulations.formulation import Formulation
from netopt.engines.attempt import Attempt
from netopt.engines.engine import EngineResult
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.solvers.solver import MilpSolver

#: Terminations of a rung's solver after which the call ends.
_FINAL = (Termination.INTERRUPTED, Termination.MEMORY_LIMIT, Termination.ERROR)


@dataclass(slots=True, eq=False)
class Climb(Attempt):
    """One call.

    Attributes
    ----------
    solver, formulation : of the rungs that solve a model.
    solved : the last answer of a solver, None before.
    """

    solver: MilpSolver = field(kw_only=True)
    formulation: Formulation = field(kw_only=True)
    solved: EngineResult | None = field(default=None, kw_only=True)

    def relaxed(self, seconds: float) -> SolverParameters:
        """Return parameters for a relaxation: an incumbent of one reaches no objective limit of the caller's."""
        bound = self.enough if self.enough > -np.inf else None
        return replace(self.left(seconds), objective_limit=None, bound_limit=bound)

    def answered(self, answer: EngineResult) -> None:
        """Note what a solver says of a relaxation."""
        self.solved = answer
        self.nodes += answer.nodes
        self.proved(answer.dual_bound)

    def ended(self) -> Termination | None:
        """Return why the call is over, None if it is not."""
        reason = Attempt.ended(self)
        if reason is not None or self.solved is None:
            return reason
        return self.solved.termination if self.solved.termination in _FINAL else None

    def result(self, termination: Termination, name: str) -> EngineResult:
        """Return the answer where a relaxation ends the call, with the size of the last model solved."""
        result, answer = Attempt.result(self, termination, name), self.solved
        if answer is None:
            return result
        return replace(
            result,
            build_seconds=answer.build_seconds,
            rows=answer.rows,
            columns=answer.columns,
            binaries=answer.binaries,
            message=answer.message,
        )
