"""The transfer engine against all activation patterns: its dual bound is never below the dense maximum."""

from __future__ import annotations

import numpy as np
import pytest
from activation_patterns import largest_slack, random_perceptron
from bound_cases import NETWORKS, unit_box
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse
from solved_cases import random_objective

from formulations.big_m import BigM
from netopt.bounds.compute import compute_bounds
from netopt.bounds.difference import difference_bounds
from netopt.bounds.rows import bound_rows
from netopt.engines.engine import Maximization
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective
from netopt.engines.transfer import DIRECT, TransferEngine
from netopt.engines.transferred import FORMS, corrected, transfer
from netopt.errors import InvalidOptionError
from netopt.pruning.prune import prune
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball
from netopt.specification.property import Conjunction

MILP = MilpEngine(Highs(), BigM())
EXACT = SolverParameters(relative_gap=0.0, absolute_gap=1e-9)


@given(
    seed=st.integers(0, 10**6),
    rate=st.sampled_from([0.1, 0.4, 0.7, 0.9]),
    form=st.sampled_from(sorted(FORMS)),
    rows=st.integers(1, 3),
    mixed=st.booleans(),
    l1=st.booleans(),
)
@settings(max_examples=12)
def test_the_bound_is_never_below_the_dense_maximum(
    seed: int, rate: float, form: str, rows: int, mixed: bool, l1: bool
) -> None:
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [2, 3, 3, 2])
    network = perceptron.network
    assume(np.linalg.multi_dot([np.abs(weight) for weight in reversed(perceptron.weights)]).any())  # else constant
    lower = generator.integers(-4, 3, size=2) / 2.0
    upper = lower + generator.integers(0, 5, size=2) / 2.0
    center = (lower + upper) / 2.0
    domain = L1Ball(center, 0.75, lower, upper) if l1 else Box(lower, upper)
    objective = random_objective(generator, rows, 2, 2, mixed=mixed)
    budget = (center, 0.75) if l1 else None
    dense = largest_slack(perceptron, objective.conjunction, objective.norm, lower, upper, l1=budget)

    bounds, told = compute_bounds(network, domain), []
    answer = TransferEngine(MILP, "domain-aware", rate, form).maximize(
        Maximization(network, domain, objective, bounds, EXACT, on_bound=told.append)
    )

    assert answer.dual_bound >= dense - 1e-6
    rows_bound = bound_rows(
        network,
        domain,
        bounds,
        -objective.conjunction.output_matrix,
        None if not mixed else -objective.conjunction.input_matrix,
        objective.conjunction.bound,
    )
    assert answer.dual_bound <= (rows_bound / objective.norm).min() + 1e-9
    assert min(told) == answer.dual_bound
    assert answer.point is not None
    assert answer.primal_bound is not None
    replayed = objective.value(answer.point[None], network.forward(answer.point)[None])[0]
    assert replayed == answer.primal_bound
    assert answer.primal_bound <= dense + 1e-6
    assert answer.termination in (Termination.OPTIMAL, Termination.NODE_LIMIT)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["residual", "convolutional", "degenerate"])
def test_transferred_objectives_lie_above_on_every_architecture(name: str, form: str) -> None:
    dense = NETWORKS[name]
    generator = np.random.default_rng(4)
    domain = unit_box(dense, 0.4)
    points = domain.sample(generator, 3000)
    rows = generator.normal(size=(2, dense.output_size))
    inputs = sparse.csr_array(generator.normal(size=(2, dense.input_size)))
    objective = SlackObjective.normalised(Conjunction(rows, generator.normal(size=2), inputs))
    for rate in (0.0, 0.3, 0.9):
        other = prune(dense, "domain-aware", rate, domain=domain).network
        moved = transfer(objective, difference_bounds(dense, other, domain), form)
        above = moved.objective.value(points, moved.network.forward(points))
        value = objective.value(points, dense.forward(points))
        assert (value <= above + 1e-12 * (1.0 + np.abs(above))).all()
        if rate == 0.0:
            np.testing.assert_allclose(above, value, atol=1e-9)


def test_the_neurons_of_the_sparse_network_tell_most() -> None:
    network = random_perceptron(np.random.default_rng(8), [4, 10, 10, 1], 0.3).network
    domain = Box(-np.full(4, 0.6), np.full(4, 0.6))
    bounds, objective = compute_bounds(network, domain), SlackObjective.linear(np.ones(1))
    dense = MILP.maximize(Maximization(network, domain, objective, bounds, EXACT)).dual_bound
    duals = {
        form: TransferEngine(MILP, "domain-aware", 0.25, form)
        .maximize(Maximization(network, domain, objective, bounds, EXACT))
        .dual_bound
        for form in FORMS
    }
    direct = float(bound_rows(network, domain, bounds, np.ones((1, 1)))[0])
    assert dense - 1e-6 <= duals["neurons"] <= duals["linear"] + 1e-6
    assert duals["linear"] <= duals["constant"] + 1e-6
    assert duals["neurons"] < direct - 0.25 * (direct - dense)


@pytest.mark.parametrize("name", ["perceptron", "deep", "residual"])
def test_a_corrected_objective_is_closer_to_the_dense_one(name: str) -> None:
    dense = NETWORKS[name]
    generator = np.random.default_rng(4)
    domain = unit_box(dense, 0.3)
    points = domain.sample(generator, 3000)
    rows = generator.normal(size=(2, dense.output_size))
    inputs = sparse.csr_array(generator.normal(size=(2, dense.input_size)))
    objective = SlackObjective.normalised(Conjunction(rows, generator.normal(size=2), inputs))
    other = prune(dense, "domain-aware", 0.8, domain=domain).network
    moved = corrected(objective, difference_bounds(dense, other, domain))
    value = objective.value(points, dense.forward(points))
    plain_error = objective.value(points, other.forward(points)) - value
    moved_error = moved.value(points, other.forward(points)) - value
    assert moved_error.std() < 0.9 * plain_error.std()
    same = corrected(objective, difference_bounds(dense, dense, domain))
    np.testing.assert_allclose(same.value(points, dense.forward(points)), value, atol=1e-9)


def test_the_result_names_its_route() -> None:
    network = random_perceptron(np.random.default_rng(8), [4, 10, 10, 1], 0.3).network
    domain = Box(-np.full(4, 0.6), np.full(4, 0.6))
    bounds, objective = compute_bounds(network, domain), SlackObjective.linear(np.ones(1))
    engine = TransferEngine(MILP, "domain-aware", 0.25)
    answer = engine.maximize(Maximization(network, domain, objective, bounds, EXACT))
    assert answer.name == engine.name == f"{MILP.name} on domain-aware:0.25 plus difference (neurons)"
    limit = float(bound_rows(network, domain, bounds, np.ones((1, 1)))[0]) + 0.1
    early = engine.maximize(Maximization(network, domain, objective, bounds, SolverParameters(bound_limit=limit)))
    assert (early.termination, early.name) == (Termination.BOUND_LIMIT, DIRECT)
    assert early.dual_bound <= limit
    poor = TransferEngine(MILP, "random", 0.95, "constant").maximize(
        Maximization(network, domain, objective, bounds, EXACT)
    )
    assert poor.name == DIRECT


def test_an_unknown_form_is_refused() -> None:
    network = random_perceptron(np.random.default_rng(0), [2, 3, 1]).network
    domain = Box(np.zeros(2), np.ones(2))
    with pytest.raises(InvalidOptionError, match="unknown form 'affine'"):
        TransferEngine(MILP, form="affine").maximize(
            Maximization(network, domain, SlackObjective.linear(np.ones(1)), compute_bounds(network, domain), EXACT)
        )
