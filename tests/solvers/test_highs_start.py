"""With a start, HiGHS works without its sub-MIPs and presolve, unless the caller wants them."""

import highspy
import numpy as np
import pytest

from formulations.milp import MilpBuilder
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters

SUB_MIPS = ("mip_heuristic_run_rens", "mip_heuristic_run_rins", "mip_heuristic_run_root_reduced_cost")


@pytest.fixture
def used(monkeypatch) -> dict[str, object]:
    """The options HiGHS ran with."""
    seen: dict[str, object] = {}
    run = highspy.Highs.run

    def spy(self: highspy.Highs) -> object:
        seen.update({name: self.getOptionValue(name)[1] for name in (*SUB_MIPS, "presolve")})
        return run(self)

    monkeypatch.setattr(highspy.Highs, "run", spy)
    return seen


def knapsack():
    builder = MilpBuilder()
    x = builder.add_columns(3, upper=1.0, integral=True)
    builder.add_rows((x[:1], np.array([3.0])), upper=3.0)
    builder.set_objective(x, np.array([2.0, -1.0, 1.0]), maximize=True)
    return builder.build()


@pytest.mark.parametrize(
    ("start", "plain", "options", "expected"),
    [
        (None, False, {}, (True, True, True, "choose")),
        (None, True, {}, (False, False, False, "choose")),
        (np.zeros(3), False, {}, (False, False, False, "off")),
        (np.zeros(3), False, {"presolve": "on", "mip_heuristic_run_rins": True}, (False, True, False, "on")),
    ],
)
def test_options_with_and_without_a_start(used, start, plain, options, expected) -> None:
    answer = Highs().solve(knapsack(), SolverParameters(plain=plain, options=options), start=start)
    assert answer.primal_bound == pytest.approx(3.0)
    assert tuple(used[name] for name in (*SUB_MIPS, "presolve")) == expected
