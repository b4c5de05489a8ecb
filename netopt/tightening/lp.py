"""Bounds by linear programming: every layer before the neuron is relaxed to triangles."""

from __future__ import annotations

import math
from dataclasses import dataclass

from netopt.errors import ModelNumbersError
from netopt.solvers.lp_session import LpSession
from netopt.tightening.bounder import Bounder, Minimize
from netopt.tightening.weak_duality import SafeBounds


@dataclass(slots=True, eq=False)
class LpBounder(Bounder):
    """Minimises and maximises each value over the linear relaxation, hot-started from the value before.

    Each bound is rebuilt from the LP's multipliers with outward rounding and then widened by the rounding error of the
    forward pass; what the solver claims to be the optimum is not used.
    """

    def minimizer(self) -> Minimize:
        subproblem = self.subproblem
        try:
            session = LpSession(subproblem.model, self.stop)
        except ModelNumbersError:
            return lambda neuron, side: -math.inf  # the bounds known stay
        safe = SafeBounds(subproblem.model)

        def minimize(neuron: int, side: float) -> float:
            columns, coefficients, constant = subproblem.objective(neuron)
            duals = session.minimize(columns, side * coefficients)
            if duals is None:
                return -math.inf
            value = math.nextafter(safe.minimum(columns, side * coefficients, duals) + side * constant, -math.inf)
            return math.nextafter(value - float(subproblem.error[neuron]), -math.inf)

        return minimize
