"""The relaxed engine: bounds hold for the dense network, the ladder ends exact, limits are kept."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from bound_cases import NETWORKS
from hypothesis import given, settings
from hypothesis import strategies as st
from solved_cases import solved_maximum

from formulations.big_m import BigM
from formulations.registry import FORMULATIONS
from netopt.bounds.compute import compute_bounds
from netopt.engines.engine import Maximization
from netopt.engines.milp import MilpEngine, solve_slack_model
from netopt.engines.objective import SlackObjective
from netopt.engines.relaxed import RelaxedEngine
from netopt.engines.relaxed_climb import Climb
from netopt.engines.relaxed_model import RelaxedModel
from netopt.engines.relaxed_rungs import Lines, Rung, Slack, Transferred
from netopt.engines.transfer import TransferEngine
from netopt.errors import InvalidOptionError
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball

TIGHT = SolverParameters(relative_gap=0.0, absolute_gap=1e-9)
EXACT_LINEAR = sorted(name for name, form in FORMULATIONS.items() if form.exact and not form.requires)


def perceptron(seed: int, sizes: tuple[int, ...]) -> Network:
    generator = np.random.default_rng(seed)
    pairs = list(itertools.pairwise(sizes))
    weights = [generator.normal(size=(o, i)) / np.sqrt(i) for i, o in pairs]
    return from_weights(weights, [0.3 * generator.normal(size=o) for _, o in pairs])


def climbing(problem: Maximization) -> Climb:
    """Return the state of a call."""
    return Climb(problem, solver=Highs(), formulation=BigM())


def relaxed_bound(network: Network, domain: Domain, objective: SlackObjective, rate: float, deep: float) -> float:
    """Return the dual bound of one relaxed model, solved to its optimum."""
    model = RelaxedModel.split(network, domain, objective, compute_bounds(network, domain), BigM(), rate, deep)
    tied = model.tie(8, lambda: False, None)
    return solve_slack_model(Highs(), tied.build(), TIGHT, begun=0.0).dual_bound


@given(
    seed=st.integers(0, 10**6),
    rate=st.sampled_from([0.3, 0.7, 1.0]),
    deep=st.sampled_from([0.0, 0.5, 1.0]),
    ball=st.booleans(),
    mixed=st.booleans(),
    scale=st.sampled_from([1e-2, 1.0, 1e2]),
)
@settings(max_examples=12)
def test_a_relaxed_bound_is_never_below_the_maximum_and_the_ladder_ends_at_it(
    seed: int, rate: float, deep: float, ball: bool, mixed: bool, scale: float
) -> None:
    case = solved_maximum(seed, ball=ball, mixed=mixed, scale=scale)
    network, domain, objective, expected = case.network, case.domain, case.objective, case.truth
    tolerance = 1e-5 * max(1.0, abs(expected))

    assert relaxed_bound(network, domain, objective, rate, deep) >= expected - tolerance

    bounds = compute_bounds(network, domain)
    slack = Slack(min(rate, 0.9), deep=deep > 0.0, ties=4, refinements=1)
    engine = RelaxedEngine(Highs(), BigM(), (Lines(), Transferred(0.5), slack))
    answer = engine.maximize(Maximization(network, domain, objective, bounds, TIGHT))
    assert answer.termination is Termination.OPTIMAL
    assert answer.dual_bound == pytest.approx(expected, abs=tolerance)
    assert answer.point is not None
    replayed = objective.value(answer.point[None], network.forward(answer.point)[None])[0]
    assert replayed == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_bounds_hold_for_networks_of_every_shape(name: str) -> None:
    network = NETWORKS[name]
    middle = np.linspace(-0.5, 0.5, network.input_size)
    objective = SlackObjective.linear(np.linspace(1.0, -0.5, network.output_size))
    for domain in (Box(middle - 0.4, middle + 0.4), L1Ball(middle, 0.6, middle - 0.4, middle + 0.4)):
        bounds = compute_bounds(network, domain)
        dense = MilpEngine(Highs(), BigM()).maximize(Maximization(network, domain, objective, bounds, TIGHT))
        assert dense.termination is Termination.OPTIMAL
        for rate, deep in itertools.product((0.4, 1.0), (0.0, 0.6)):
            assert relaxed_bound(network, domain, objective, rate, deep) >= dense.dual_bound - 1e-6
        below = SolverParameters(bound_limit=dense.dual_bound - 1e-4, node_limit=2000)
        climb = climbing(Maximization(network, domain, objective, bounds, below))
        Lines().climb(climb)
        assert climb.ended() is not Termination.BOUND_LIMIT
        assert climb.dual >= dense.dual_bound - 1e-6
        assert climb.value <= dense.dual_bound + 1e-6


def test_ties_and_rows_put_back_tighten_the_bound_to_the_dense_one() -> None:
    network = perceptron(4, (12, 8, 6, 1))
    box = Box(-0.5 * np.ones(12), 0.5 * np.ones(12))
    objective = SlackObjective.linear(np.ones(1))
    bounds = compute_bounds(network, box)
    optimum = MilpEngine(Highs(), BigM()).maximize(Maximization(network, box, objective, bounds, TIGHT)).dual_bound
    model = RelaxedModel.split(network, box, objective, bounds, BigM(), 1.0)
    values, weights = [], []
    for tied in (model, model.tie(60, lambda: False, None)):
        values.append(solve_slack_model(Highs(), tied.build(), TIGHT, begun=0.0).dual_bound)
    assert values[1] < values[0] - 0.1 * (values[0] - optimum)
    while model.weights:
        weights.append(model.weights)
        seen: list[np.ndarray] = []
        written = model.build()
        answer = solve_slack_model(Highs(), written, TIGHT, begun=0.0, on_point=seen.append)
        values.append(answer.dual_bound)
        model = model.refined(written, seen[-1], 0.4)
    assert weights == sorted(set(weights), reverse=True)
    assert min(values) >= optimum - 1e-6
    assert solve_slack_model(Highs(), model.build(), TIGHT, begun=0.0).dual_bound == pytest.approx(optimum, abs=1e-6)


def test_a_sparse_proof_ends_the_call_early() -> None:
    network = perceptron(4, (12, 8, 6, 1))
    box = Box(-0.5 * np.ones(12), 0.5 * np.ones(12))
    objective = SlackObjective.linear(np.ones(1))
    bounds = compute_bounds(network, box)
    limit = relaxed_bound(network, box, objective, 0.5, 0.0) + 1e-3
    heard: list[float] = []
    answer = RelaxedEngine(Highs(), BigM(), (Slack(0.5, ties=8),)).maximize(
        Maximization(network, box, objective, bounds, SolverParameters(bound_limit=limit), on_bound=heard.append)
    )
    assert answer.termination is Termination.BOUND_LIMIT
    assert answer.name.endswith("on a relaxed model")
    assert answer.dual_bound <= limit
    assert heard == sorted(heard, reverse=True)
    assert heard[-1] == answer.dual_bound


def test_a_start_that_a_relaxation_proves_optimal_is_the_answer() -> None:
    network = from_weights([[[1.0, 0.5]], [[1.0]]], [[3.0], [0.0]])  # stable: one tie is exact
    box = Box(-np.ones(2), np.ones(2))
    objective = SlackObjective.linear(np.ones(1))
    best = np.ones(2)
    answer = RelaxedEngine(Highs(), BigM(), (Slack(0.5, ties=1),)).maximize(
        Maximization(network, box, objective, compute_bounds(network, box), start=best)
    )
    assert answer.termination is Termination.OPTIMAL
    assert answer.name.endswith("on a relaxed model")
    assert answer.dual_bound == pytest.approx(4.5, abs=1e-6)
    assert answer.point is not None
    assert answer.point.tolist() == best.tolist()


@pytest.mark.parametrize("name", EXACT_LINEAR)
def test_every_formulation_takes_relaxed_layers(name: str) -> None:
    network = perceptron(6, (5, 4, 3, 1))
    box = Box(-np.ones(5), np.ones(5))
    objective = SlackObjective.linear(np.ones(1))
    bounds = compute_bounds(network, box)
    optimum = MilpEngine(Highs(), BigM()).maximize(Maximization(network, box, objective, bounds, TIGHT)).dual_bound
    model = RelaxedModel.split(network, box, objective, bounds, FORMULATIONS[name](), 0.5, 0.5)
    for x in box.sample(np.random.default_rng(0), 10):
        written = model.build()
        assert written.model.violation(written.start(x)) <= 1e-9
    bound = solve_slack_model(Highs(), model.build(), TIGHT, begun=0.0).dual_bound
    assert bound >= optimum - 1e-6


@given(seed=st.integers(0, 10**6), ball=st.booleans(), mixed=st.booleans(), scale=st.sampled_from([1e-2, 1.0, 1e2]))
@settings(max_examples=25)
def test_splitting_alone_is_never_below_the_maximum(seed: int, ball: bool, mixed: bool, scale: float) -> None:
    case = solved_maximum(seed, ball=ball, mixed=mixed, scale=scale)
    network, domain, objective, expected = case.network, case.domain, case.objective, case.truth
    bounds, heard = compute_bounds(network, domain), []
    for limit in (None, expected + 0.3 * max(1.0, abs(expected)), expected - 1.0):
        parameters = SolverParameters(bound_limit=limit)
        climb = climbing(Maximization(network, domain, objective, bounds, parameters, on_bound=heard.append))
        Lines().climb(climb)
        assert expected - 1e-9 * max(1.0, abs(expected)) <= climb.dual == heard[-1]
        assert climb.value <= expected + 1e-7 * max(1.0, abs(expected))
        if climb.ended() is Termination.BOUND_LIMIT:
            assert limit is not None
            assert climb.dual <= limit
        if limit is not None and limit < expected:
            assert climb.ended() is not Termination.BOUND_LIMIT


def test_splitting_proves_what_crown_leaves_open() -> None:
    network = perceptron(4, (12, 8, 6, 1))
    box = Box(-0.5 * np.ones(12), 0.5 * np.ones(12))
    objective = SlackObjective.linear(np.ones(1))
    bounds = compute_bounds(network, box)
    optimum = MilpEngine(Highs(), BigM()).maximize(Maximization(network, box, objective, bounds, TIGHT)).dual_bound
    limit = optimum + 1e-3
    assert bounds.output_upper[0] > optimum + 0.1
    heard: list[float] = []
    answer = RelaxedEngine(Highs(), BigM()).maximize(
        Maximization(network, box, objective, bounds, SolverParameters(bound_limit=limit), on_bound=heard.append)
    )
    assert answer.termination is Termination.BOUND_LIMIT
    assert answer.name == "ReLU splitting"
    assert optimum - 1e-6 <= answer.dual_bound <= limit
    assert heard == sorted(heard, reverse=True)
    assert heard[-1] == answer.dual_bound


def test_a_point_that_is_good_enough_ends_the_call() -> None:
    network = perceptron(4, (12, 8, 6, 1))
    box = Box(-0.5 * np.ones(12), 0.5 * np.ones(12))
    objective = SlackObjective.linear(np.ones(1))
    points: list[np.ndarray] = []
    answer = RelaxedEngine(Highs(), BigM()).maximize(
        Maximization(
            network,
            box,
            objective,
            compute_bounds(network, box),
            SolverParameters(objective_limit=float(network.forward(np.zeros(12))[0])),
            on_point=points.append,
        )
    )
    assert answer.termination is Termination.OBJECTIVE_LIMIT
    assert answer.point is points[-1]
    assert answer.primal_bound == network.forward(points[-1])[0]


def test_a_transferred_proof_names_the_sparse_network() -> None:
    network = perceptron(4, (12, 8, 6, 1))
    box = Box(-0.5 * np.ones(12), 0.5 * np.ones(12))
    objective = SlackObjective.linear(np.ones(1))
    bounds = compute_bounds(network, box)
    dense = MilpEngine(Highs(), BigM())
    optimum = dense.maximize(Maximization(network, box, objective, bounds, TIGHT)).dual_bound
    sparse_bound = (
        TransferEngine(dense, rate=0.1).maximize(Maximization(network, box, objective, bounds, TIGHT)).dual_bound
    )
    answer = RelaxedEngine(Highs(), BigM(), (Transferred(0.1),)).maximize(
        Maximization(network, box, objective, bounds, SolverParameters(bound_limit=sparse_bound + 1e-3))
    )
    assert answer.termination is Termination.BOUND_LIMIT
    assert "on domain-aware:0.1 plus difference" in answer.name
    assert optimum - 1e-6 <= answer.dual_bound <= sparse_bound + 1e-3


@pytest.mark.parametrize("rung", [Lines(), Slack(0.15), Transferred(0.15)])
def test_an_interrupt_ends_the_call_with_the_bound_so_far(rung: Rung) -> None:
    network = perceptron(9, (40, 30, 30, 1))
    box = Box(-np.ones(40), np.ones(40))
    halt = threading.Event()
    points = []

    def proved(_bound: float) -> None:
        halt.set()

    answer = RelaxedEngine(Highs(), BigM(), (rung,)).maximize(
        Maximization(
            network,
            box,
            SlackObjective.linear(np.ones(1)),
            compute_bounds(network, box),
            SolverParameters(time_limit=60.0),
            on_point=points.append,
            on_bound=proved,
            interrupt=halt,
        )
    )
    assert answer.termination is Termination.INTERRUPTED
    assert np.isfinite(answer.dual_bound)
    assert answer.seconds < 30.0
    assert all(box.contains(point[None], 1e-9)[0] for point in points)


def test_bad_options_are_refused() -> None:
    with pytest.raises(InvalidOptionError, match="rate is 1"):
        RelaxedEngine.at_rate(Highs(), BigM(), 1.0)
    with pytest.raises(InvalidOptionError, match="ties is -1"):
        Slack(0.5, ties=-1)
    with pytest.raises(InvalidOptionError, match=r"rate is -0\.1"):
        Transferred(-0.1)
