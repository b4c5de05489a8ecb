"""Bounds by mixed-integer programming: every layer before the neuron is exact, the dual bound counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from netopt.solvers.checks import LARGEST_NUMBER, largest_number
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.solvers.solver import MilpSolver
from netopt.tightening.bounder import Bounder, Minimize

#: A MILP's dual bound is trusted up to this much, relative to the scale of the value (and absolutely, below scale 1):
#: more than the feasibility and optimality tolerances of the solvers.
TOLERANCE = 1e-6
#: Terminations whose dual bound is not used; infeasible would say that the domain is empty.
_USELESS = frozenset(
    {
        Termination.INFEASIBLE,
        Termination.UNBOUNDED,
        Termination.INFEASIBLE_OR_UNBOUNDED,
        Termination.NUMERICAL,
        Termination.ERROR,
    }
)


@dataclass(slots=True, eq=False)
class MilpBounder(Bounder):
    """Takes the dual bounds of two MILPs a value, lessened by `TOLERANCE` and the forward pass's rounding error.

    A solve ends early once its dual bound decides the neuron's sign, and after `neuron_time_limit` seconds.
    """

    solver: MilpSolver
    neuron_time_limit: float

    def minimizer(self) -> Minimize:
        return self._minimize

    def _minimize(self, neuron: int, side: float) -> float:
        subproblem = self.subproblem
        margin = TOLERANCE * max(1.0, float(subproblem.magnitude[neuron])) + float(subproblem.error[neuron])
        if not math.isfinite(margin) or largest_number(subproblem.model) > LARGEST_NUMBER:
            return -math.inf
        columns, coefficients, constant = subproblem.objective(neuron)
        objective = np.zeros(subproblem.model.column_count)
        objective[columns] = side * coefficients
        remaining = self.stop.remaining
        parameters = SolverParameters(
            time_limit=self.neuron_time_limit if remaining is None else min(self.neuron_time_limit, remaining),
            bound_limit=2.0 * margin if self.by_sign else None,
        )
        model = replace(subproblem.model, objective=objective, objective_constant=side * constant, maximize=False)
        result = self.solver.solve(model, parameters, interrupt=self.stop.interrupt)
        if result.termination in _USELESS or not math.isfinite(result.dual_bound):
            return -math.inf
        return result.dual_bound - margin
