"""Numbers that a solver refuses or breaks on end a stage, not the call."""

from __future__ import annotations

import numpy as np
import pytest

from formulations.milp import MilpBuilder, MilpModel
from netopt.arrays import FloatArray
from netopt.bounds.compute import compute_bounds
from netopt.errors import SolverFailureError
from netopt.network.build import from_weights
from netopt.problems.maximization import maximize
from netopt.solvers.adapter import Adapter
from netopt.solvers.highs import Highs
from netopt.solvers.monitor import Monitor
from netopt.solvers.outcome import VendorAnswer
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.solvers.solver import Availability, Capabilities
from netopt.specification.box import Box
from netopt.tightening.levels import tighten

#: Weights of 1e16 in the first layer; HiGHS takes coefficients below 1e15.
NETWORK = from_weights(
    [
        [[1e16, 0.0], [0.0, 1e16], [-1e16, 1e16], [1e16, 1e16]],
        [[0.5, 1.0, 0.25, -1.25], [1.0, 0.5, -0.5, 0.5], [0.25, 0.25, 0.0, 0.5], [-0.75, -0.25, -0.5, 0.5]],
        [[1.0, -1.0, 1.0, -1.0]],
    ],
    [[0.5, 0.5, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0]],
)
BOX = Box(-np.ones(2), np.ones(2))


class Breaking(Adapter):
    """A solver whose library fails in the middle of a solve."""

    name = "breaking"
    capabilities = Capabilities()

    def availability(self, model: MilpModel | None = None) -> Availability:
        return Availability(True)

    def version(self) -> str:
        return "1"

    def run(
        self, model: MilpModel, parameters: SolverParameters, start: FloatArray | None, monitor: Monitor
    ) -> VendorAnswer:
        monitor.bound(7.0)
        raise SolverFailureError("error in LP solver")


@pytest.mark.parametrize(("solver", "words"), [(Highs(), "HiGHS refused the model"), (Breaking(), "error in LP")])
def test_a_solver_that_gives_up_says_why_and_claims_nothing(solver: Adapter, words: str) -> None:
    builder = MilpBuilder()
    x = builder.add_columns(1, upper=1.0, integral=True)
    builder.add_rows((x, 1e20), upper=1.0)
    builder.set_objective(x, np.ones(1), maximize=True)

    result = solver.solve(builder.build(), SolverParameters())

    assert result.termination is Termination.NUMERICAL
    assert result.dual_bound == np.inf
    assert words in result.vendor_status


@pytest.mark.parametrize("level", ["lp", "milp"])
def test_bounds_known_stay_where_the_solver_refuses(level: str) -> None:
    before = compute_bounds(NETWORK, BOX, "crown")

    bounds = tighten(NETWORK, BOX, level, solver=Highs())

    for name, lower in before.lower.items():
        assert (bounds.lower[name] >= lower).all()
        assert np.isfinite(bounds.upper[name]).all()


@pytest.mark.parametrize("prune", ["ladder", "domain-aware:0.5"])
def test_pruned_networks_with_such_numbers_are_left_with_a_notice(prune: str) -> None:
    result = maximize(NETWORK, BOX, weights=np.ones(1), solver="highs", prune=prune, time_limit=4.0, isolate=False)

    assert result.primal_bound is not None
    assert any("HiGHS refused the model" in notice for notice in result.notices)
