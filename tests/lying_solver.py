"""A solver whose answers are wrong."""

from __future__ import annotations

from formulations.milp import MilpModel
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import SolverResult, Termination
from netopt.solvers.solver import Availability, Capabilities, MilpSolver


class Liar(MilpSolver):
    """Claims bounds of its own, whatever the model."""

    name = "liar"
    capabilities = Capabilities()

    def __init__(self, termination: Termination, dual_bound: float, primal_bound: float | None = None) -> None:
        self.termination, self.dual_bound, self.primal_bound = termination, dual_bound, primal_bound

    def availability(self, model: MilpModel | None = None) -> Availability:
        return Availability(True)

    def version(self) -> str:
        return "1"

    def solve(self, model: MilpModel, parameters: SolverParameters, **callbacks: object) -> SolverResult:
        return SolverResult(
            termination=self.termination,
            primal_bound=self.primal_bound,
            dual_bound=self.dual_bound,
            point=None,
            seconds=0.0,
            solver="liar 1",
        )
