"""Rows of polytopes and L1 balls in searches that split boxes, regions and ReLUs."""

from __future__ import annotations

import numpy as np
import pytest
from activation_patterns import largest_slack, random_perceptron
from bound_cases import random_network
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations.big_m import BigM
from netopt.arrays import FloatArray
from netopt.bounds.compute import compute_bounds
from netopt.engines.branch_and_bound.domain_rows import DomainCuts, in_network, rows_of_domain
from netopt.engines.branch_and_bound.engine import NativeEngine
from netopt.engines.branch_and_bound.schedule import schedule
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.engine import Maximization
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.proof.recorder import ProofRecorder
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope


def domain_of(kind: str, generator: np.random.Generator, inputs: int) -> Domain:
    lower = generator.uniform(-1.0, 0.0, inputs)
    upper = lower + generator.uniform(0.2, 1.5, inputs)
    fixed = generator.random(inputs) < 0.2
    upper[fixed] = lower[fixed]
    middle = 0.5 * lower + 0.5 * upper
    if kind == "ball":
        return L1Ball(middle + generator.normal(size=inputs) * 0.1, 0.4 + 0.2 * inputs, lower, upper)
    matrix = generator.normal(size=(3, inputs))
    side = matrix @ middle
    return Polytope(matrix, side - np.array([0.2, np.inf, 0.0]), side + np.array([0.3, 0.1, np.inf]), lower, upper)


@given(kind=st.sampled_from(["ball", "polytope"]), seed=st.integers(0, 10**6), inputs=st.sampled_from([1, 3, 5, 12]))
@settings(max_examples=12)
def test_no_row_and_no_cut_leaves_out_a_member(kind: str, seed: int, inputs: int) -> None:
    generator = np.random.default_rng(seed)
    domain = domain_of(kind, generator, inputs)
    if domain.is_empty():
        return
    members = np.concatenate([domain.sample(generator, 2_000), domain.maximizer(generator.normal(size=(30, inputs)))])
    members = members[domain.contains(members)]
    matrix, side = rows_of_domain(domain)
    assert (members @ matrix.T <= side).all()
    share = generator.random((40, 2, inputs))
    width = domain.upper - domain.lower
    low, high = domain.lower + share.min(axis=1) * width, domain.lower + share.max(axis=1) * width
    cuts = DomainCuts(domain).of(low, high, generator.normal(size=(40, inputs)))
    inside = ((members >= low[:, None]) & (members <= high[:, None])).all(axis=2)  # (40, members)
    values = np.einsum("bhn,mn->bhm", cuts.slope, members) + cuts.level[:, :, None]
    assert (values >= 0.0)[np.broadcast_to(inside[:, None], values.shape)].all()


@given(kind=st.sampled_from(["ball", "polytope"]), seed=st.integers(0, 10**6))
@settings(max_examples=12)
def test_maxima_of_tiny_networks_over_every_activation_pattern(kind: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [2, 3, 3, 2])
    lower, upper = -np.ones(2), np.ones(2)
    rows = np.array([[1.0, 2.0], [-1.0, 0.5]]), np.array([0.75, 0.5])
    domain: Domain = L1Ball(np.array([0.25, 0.0]), 0.8, lower, upper)
    if kind == "polytope":
        domain = Polytope(rows[0], np.full(2, -np.inf), rows[1], lower, upper)
    objective = SlackObjective.linear(generator.normal(size=2))
    truth = largest_slack(
        perceptron,
        objective.conjunction,
        objective.norm,
        lower,
        upper,
        rows=rows if kind == "polytope" else None,
        l1=(np.array([0.25, 0.0]), 0.8) if kind == "ball" else None,
    )
    assert_maximised(perceptron.network, domain, objective, truth)


def assert_maximised(network: Network, domain: Domain, objective: SlackObjective, truth: float) -> None:
    bounds = compute_bounds(network, domain)
    parameters = SolverParameters(time_limit=20.0, relative_gap=1e-4, absolute_gap=1e-5)
    answer = NativeEngine().maximize(Maximization(network, domain, objective, bounds, parameters, start=domain.center))
    assert answer.termination is Termination.OPTIMAL
    assert answer.primal_bound is not None
    assert answer.point is not None
    room = 1e-4 * abs(truth) + 2e-5
    assert truth - 1e-6 <= answer.dual_bound <= truth + room
    assert truth - room <= answer.primal_bound <= truth + 1e-6
    assert domain.contains(answer.point[None], 1e-6)[0]


@pytest.mark.parametrize(("kind", "inputs"), [("ball", 3), ("ball", 12), ("polytope", 6), ("polytope", 30)])
def test_maxima_of_networks_as_a_milp_finds_them(kind: str, inputs: int) -> None:
    network = random_network(inputs, (inputs, 12, 12, 2))
    domain = domain_of(kind, np.random.default_rng(inputs), inputs)
    objective = SlackObjective.linear(np.array([1.0, -0.5]))
    exact = SolverParameters(relative_gap=0.0, absolute_gap=1e-9)
    bounds = compute_bounds(network, domain)
    truth = MilpEngine(Highs(), BigM()).maximize(Maximization(network, domain, objective, bounds, exact)).dual_bound
    assert_maximised(network, domain, objective, truth)


def test_rows_in_the_network_leave_the_outputs_and_measure_the_slack() -> None:
    network = random_network(3, (4, 8, 2))
    domain = domain_of("polytope", np.random.default_rng(3), 4)
    problem = Problem(network, domain, compute_bounds(network, domain), (SlackObjective.linear(np.ones(2)),))
    boxed = in_network(problem)
    points = Box(domain.lower, domain.upper).sample(np.random.default_rng(0), 500)
    np.testing.assert_array_equal(boxed.network.forward(points), network.forward(points))
    slack: FloatArray = boxed.network.preactivations(points)[boxed.network.relus[-1].name]
    inside = domain.contains(points)
    assert inside.any()
    assert not inside.all()
    assert (slack[inside] >= 0.0).all()
    assert (slack[~inside].min(axis=1) < 1e-6).all()
    boxed.bounds.require(boxed.network)


def test_a_proof_log_gets_searches_without_rows_of_the_domain() -> None:
    network = random_network(3, (4, 8, 2))
    objective = (SlackObjective.linear(np.ones(2)),)
    names = {}
    for kind in ("ball", "polytope"):
        domain = domain_of(kind, np.random.default_rng(3), 4)
        problem = Problem(network, domain, compute_bounds(network, domain), objective)
        logged = Problem(network, domain, problem.bounds, objective, ProofRecorder().search(0, [0]))
        names[kind] = [[rule.name for rule in schedule(some)] for some in (problem, logged)]
    both = ["input splitting", "ReLU splitting"]
    assert names == {"ball": [both, both[1:]], "polytope": [both, both[:1]]}
