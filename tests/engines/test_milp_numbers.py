"""Models whose numbers a MILP solver does not resolve: no claim may lie below what the network reaches."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from exact_pieces import largest_minimum, pieces_of

from formulations.big_m import BigM
from netopt.bounds.compute import compute_bounds
from netopt.engines.engine import EngineResult, Maximization
from netopt.engines.milp import MilpEngine, build_slack_model
from netopt.engines.objective import SlackObjective
from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.solvers.checks import LARGEST_NUMBER, largest_number
from netopt.solvers.highs import Highs
from netopt.solvers.result import Termination
from netopt.solvers.scip import Scip
from netopt.solvers.solver import MilpSolver
from netopt.specification.box import Box
from netopt.specification.property import Conjunction

HIGHS = Highs()


def maximum(
    network: Network, box: Box, conjunction: Conjunction, solver: MilpSolver = HIGHS
) -> tuple[EngineResult, Fraction]:
    """Return what the engine says, and the exact maximum."""
    objective = SlackObjective.normalised(conjunction)
    bounds = compute_bounds(network, box, "crown")
    answer = MilpEngine(solver, BigM()).maximize(Maximization(network, box, objective, bounds))
    truth = largest_minimum(pieces_of(network, box.low, box.high), network.output, conjunction, objective.norm)
    return answer, truth


def test_numbers_that_round_by_more_than_tolerances_give_no_bound() -> None:
    # relu(relu(x) + relu(-x - 1e10 + 1)): HiGHS claimed at most 0, and 1 is reached at -1e10.
    network = from_weights([[[1.0], [-1.0]], [[0.0, 1.0]], [[1.0]]], [[0.0, 1.0 - 1e10], [0.0], [0.0]])
    box = Box(np.array([-1e10]), np.array([1e10]))
    model = build_slack_model(
        network, box, SlackObjective.linear(np.ones(1)), compute_bounds(network, box, "crown"), BigM()
    ).model

    answer, truth = maximum(network, box, Conjunction(np.array([[-1.0]]), np.array([-0.5])))

    assert truth == Fraction(1, 2)
    assert largest_number(model) > LARGEST_NUMBER
    assert answer.termination is Termination.NUMERICAL
    assert answer.dual_bound == np.inf
    assert "too large" in answer.message


def test_outputs_that_cancel_beyond_rounding_give_no_bound() -> None:
    # 1e13 (relu(x) - relu(x - 2e-5)) - 2e8: every weight of the layers before is one, the objective's are not.
    network = from_weights([[[1.0], [1.0]], [[1e13, -1e13]]], [[0.0, -2e-5], [-2e8]])

    answer, truth = maximum(network, Box(np.zeros(1), np.ones(1)), Conjunction(np.array([[-1.0]]), np.zeros(1)))

    assert truth == pytest.approx(0.0, abs=1e-2)
    assert answer.dual_bound == np.inf


def test_numbers_that_the_solver_refuses_give_no_bound() -> None:
    network = from_weights([[[1e20], [-1e20]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])

    answer, _ = maximum(network, Box(-np.ones(1), np.ones(1)), Conjunction(np.array([[-1.0]]), np.array([-0.5])))

    assert answer.termination is Termination.NUMERICAL
    assert answer.dual_bound == np.inf
    assert "refused" in answer.message


@pytest.mark.parametrize(("solver", "radius"), [(HIGHS, 5.275925332171028e-07), (Scip(), 1e-8)], ids=["highs", "scip"])
def test_inputs_that_hardly_move_are_not_taken_for_constants(solver: MilpSolver, radius: float) -> None:
    # Quarters as weights, and a box of a width below the usual tolerance of 1e-6: HiGHS's claim was 1.5e-6 too low,
    # SCIP's 1.2e-5 too high.
    if not solver.availability().usable:
        pytest.skip(solver.availability().reason)
    weights = [
        [[-0.25], [0.0], [1.0], [-0.25], [0.0]],
        [
            [0.0, 0.0, -1.25, -0.75, -1.75],
            [-1.25, 1.5, 1.5, -1.75, 1.5],
            [-0.5, -1.25, -1.5, 1.5, -1.5],
            [-1.75, 1.75, 0.0, 1.5, 1.75],
            [0.625, -0.75, -0.75, 0.875, -0.75],
        ],
        [
            [1.5, -1.5, 0.0, 1.5, 1.0],
            [-2.0, 1.75, -0.25, 0.0, -1.25],
            [2.0, -2.0, -0.75, 0.25, -0.25],
            [0.75, -1.5, -1.0, 0.0, 0.75],
            [1.75, 2.0, 1.75, 2.0, -0.25],
        ],
        [
            [0.75, -1.75, 1.0, 1.0, 1.5],
            [-0.25, 1.25, 0.0, -0.25, -1.0],
            [2.0, 1.0, 0.0, 0.0, 0.75],
            [1.75, 1.5, -0.75, 1.5, 1.75],
            [-0.5, -1.25, 2.0, -1.75, 0.0],
        ],
        [[-0.5, -0.25, 0.25, 1.75, 1.0], [-0.5, 0.75, 1.75, -0.75, -1.5], [-1.0, 1.5, 3.5, -1.5, -3.0]],
    ]
    biases = [
        [0.0, 0.25, 0.5, -0.75, 1.25],
        [0.0, -2.0, 0.25, 0.0, -0.5],
        [1.5, 2.0, 2.0, 0.5, 0.0],
        [3.0, 1.5, 0.0, -1.0, -2.0],
        [0.0, 0.0, 0.0],
    ]
    conjunction = Conjunction(
        np.array(
            [
                [1.3047941519806718, -0.3749741730865201, -0.28595946722718335],
                [-0.2834594957466132, 1.648016942311127, -0.31163003480188134],
                [0.025267778390601802, -1.2512353134101855, 3.3781532020506626],
            ]
        ),
        np.array([46.317738990365406, 56.78753205545213, 120.26892379755397]),
    )
    box = Box(np.array([-radius]), np.array([radius]))

    answer, truth = maximum(from_weights(weights, biases), box, conjunction, solver)

    assert answer.dual_bound == pytest.approx(float(truth), abs=1e-8)


def test_bounds_of_a_network_of_the_same_names_are_refused() -> None:
    box = Box(-np.ones(1), np.ones(1))
    small, large = (from_weights([[[w], [-w]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]]) for w in (1.0, 2.0))

    with pytest.raises(InputError, match="the bounds belong to the network with digest"):
        build_slack_model(large, box, SlackObjective.linear(np.ones(1)), compute_bounds(small, box, "crown"), BigM())
