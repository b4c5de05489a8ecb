"""ReLU splitting: maxima equal those of all activation patterns, bounds hold at any time, parts can be handed on."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from activation_patterns import largest_slack, random_perceptron
from bound_cases import convolutional_network, degenerate_network, random_network, residual_network, unit_box
from followed_search import Follower, problem_of
from hypothesis import given, settings
from hypothesis import strategies as st
from solved_cases import random_objectives, solved_case

from formulations.big_m import BigM
from netopt.bounds.phases import PhaseBounds
from netopt.engines.branch_and_bound import phase_split
from netopt.engines.branch_and_bound.branching import NONE, TRIED, candidates, choose
from netopt.engines.branch_and_bound.leaves import LeafPrograms
from netopt.engines.branch_and_bound.phase_split import PhaseSplit
from netopt.engines.engine import Maximization
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective, rows_of
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.solvers.highs import Highs
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope


def search(
    network: Network, domain: Domain, objectives: list[SlackObjective], gap: float | None
) -> tuple[PhaseSplit, Follower]:
    problem = problem_of(network, domain, objectives)
    follower = Follower(problem, gap)
    return PhaseSplit(problem, follower), follower


def finish(split: PhaseSplit) -> None:
    split.advance(None, most=5_000)
    assert split.finished


@given(seed=st.integers(0, 10**6))
@settings(max_examples=8)
def test_maxima_are_those_of_all_activation_patterns(seed: int) -> None:
    case = solved_case(seed, 2)
    split, follower = search(case.network, case.box, case.objectives, 1e-6)

    finish(split)

    assert (split.upper >= case.truth - 1e-9).all()
    assert split.upper == pytest.approx(case.truth, abs=1e-5)
    assert follower.best == pytest.approx(case.truth, abs=1e-5)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=5)
def test_what_is_proven_negative_is_and_the_rest_has_a_point(seed: int) -> None:
    case = solved_case(seed, 3)
    split, follower = search(case.network, case.box, case.objectives, None)

    finish(split)

    assert (split.upper >= case.truth - 1e-9).all()
    assert (split.upper[case.truth < -1e-6] < 0.0).all()
    assert (follower.best[case.truth > 1e-6] >= 0.0).all()


@pytest.mark.parametrize(
    "network",
    [random_network(3), degenerate_network(), residual_network(), convolutional_network()],
    ids=["dense", "degenerate", "residual", "convolutional"],
)
def test_maxima_are_those_of_a_milp_solver(network: Network) -> None:
    generator = np.random.default_rng(7)
    box = unit_box(network, 0.4)
    objectives = random_objectives(generator, 2, network.input_size, network.output_size)
    split, follower = search(network, box, objectives, 1e-5)
    finish(split)
    for k, objective in enumerate(objectives):
        bounds = split.problem.bounds
        answer = MilpEngine(Highs(), BigM()).maximize(Maximization(network, box, objective, bounds))
        assert split.upper[k] == pytest.approx(answer.dual_bound, abs=2e-4)
        assert follower.best[k] <= split.upper[k]


@pytest.mark.parametrize("kind", ["ball", "polytope"])
def test_domains_that_are_not_boxes(kind: str) -> None:
    perceptron = random_perceptron(np.random.default_rng(5), [3, 4, 3, 2])
    lower, upper = np.full(3, -1.0), np.ones(3)
    objective = random_objectives(np.random.default_rng(6), 1, 3, 2)[0]
    domain: Domain = L1Ball(np.zeros(3), 0.8, lower, upper)
    extra: dict[str, tuple[np.ndarray, np.ndarray | float]] = {"l1": (np.zeros(3), 0.8)}
    if kind == "polytope":
        rows = np.array([[1.0, 1.0, -1.0]]), np.array([0.5])
        domain, extra = Polytope(rows[0], np.array([-np.inf]), rows[1], lower, upper), {"rows": rows}
    truth = largest_slack(perceptron, objective.conjunction, objective.norm, lower, upper, **extra)  # type: ignore[arg-type]
    split, _ = search(perceptron.network, domain, [objective], 1e-6)
    finish(split)
    assert truth - 1e-7 <= split.upper[0] <= truth + 1e-5


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("many", [2**26, 0])
def test_bounds_hold_and_fall_while_parts_are_left(monkeypatch: pytest.MonkeyPatch, scale: float, many: int) -> None:
    monkeypatch.setattr(phase_split, "_MANY", many)
    network = random_network(4, (5, 8, 8, 8, 8, 2))
    box = unit_box(network)
    weights = np.array([1.0, -1.0]) * scale
    split, follower = search(network, box, [SlackObjective.linear(weights)], 1e-3 * scale)
    largest = (network.forward(box.sample(np.random.default_rng(6), 10_000)) @ weights).max()
    before = np.inf
    for _ in range(5):
        split.advance(None, most=40)
        assert max(largest, follower.best[0]) <= split.upper[0] <= before
        before = float(split.upper[0])
    assert np.isfinite(before)
    assert split.bounded >= 200


def test_parts_left_by_one_search_are_finished_by_another() -> None:
    network = random_network(11, (3, 9, 9, 2))
    box = unit_box(network)
    objectives = [SlackObjective.linear(np.array([1.0, -1.0])), SlackObjective.linear(np.array([0.0, 1.0]))]
    alone, best = search(network, box, objectives, 1e-6)
    finish(alone)
    first, _ = search(network, box, objectives, 1e-6)
    first.advance(None, most=20)
    assert first.open.count > 1
    assert first.open.upper.shape == (first.open.count, 2)
    parts = pickle.loads(pickle.dumps(first.open))
    second, follower = search(network, box, objectives, 1e-6)
    second.open = parts.take(slice(1, None)).then(parts.take(slice(0, 1)))
    finish(second)
    assert np.maximum(second.upper, first.closed_upper) == pytest.approx(alone.upper, abs=1e-5)
    assert np.maximum(follower.best, first.watch.best) == pytest.approx(best.best, abs=1e-5)


def test_objectives_that_are_closed_elsewhere_are_dropped() -> None:
    network = random_network(4, (5, 8, 8, 8, 8, 2))
    objectives = [SlackObjective.linear(np.array([1.0, -1.0])), SlackObjective.linear(np.array([0.0, 1.0]))]
    split, follower = search(network, unit_box(network), objectives, 1e-9)
    split.advance(None, most=40)
    assert set(split.open.parts.objective.tolist()) == {0, 1}
    follower.best[1] = np.inf
    split.advance(None, most=1)
    assert set(split.open.parts.objective.tolist()) == {0}


def test_networks_without_unstable_neurons_are_solved_as_one_part() -> None:
    network = from_weights([[[1.0], [1.0]], [[1.0, -2.0]]], [[2.0, -2.0], [0.0]])
    split, follower = search(network, Box(np.array([-1.0]), np.ones(1)), [SlackObjective.linear(np.ones(1))], 1e-9)
    finish(split)
    assert split.upper[0] == pytest.approx(3.0)
    assert follower.best[0] == pytest.approx(3.0)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=10)
def test_a_leaf_is_as_tight_as_its_region_and_an_empty_one_closes(seed: int) -> None:
    generator = np.random.default_rng(seed)
    network = random_network(seed, (3, 6, 5, 2))
    box = unit_box(network)
    problem = problem_of(network, box, random_objectives(generator, 1, 3, 2))
    bounds = PhaseBounds(network, box, problem.bounds, rows_of(problem.objectives))
    points = box.sample(generator, 4_000)
    before = np.concatenate(list(network.preactivations(points).values()), axis=1)[:, bounds.neurons]
    value = problem.objectives[0].value(points, network.forward(points))
    part = bounds.whole()
    part.phase[0] = np.where(before[0] >= 0.0, 1, -1)
    inside = ((before >= 0.0) == (before[0] >= 0.0)).all(axis=1)
    answer = LeafPrograms(problem, bounds).solve(part, lambda: False)
    assert answer is not None
    found, known = answer
    reached = problem.objectives[0].value(known.points, network.forward(known.points))[0]
    assert value[inside].max() <= known.upper[0]
    assert known.upper[0] == pytest.approx(reached, abs=1e-6)
    assert bounds.prove(found)[0][0] == pytest.approx(known.upper[0], abs=1e-12)
    for phases in np.unique(generator.choice([-1, 1], size=(8, before.shape[1])), axis=0):
        part.phase[0] = phases
        answer = LeafPrograms(problem, bounds).solve(part, lambda: False)
        assert answer is not None
        there = ((before >= 0.0) == (phases > 0)).all(axis=1)
        assert value[there].max(initial=-np.inf) <= answer[1].upper[0]
        if not bounds_region(network, box, bounds, phases):
            assert answer[1].upper[0] < -100.0


def bounds_region(network: Network, box: Box, bounds: PhaseBounds, phases: np.ndarray) -> bool:
    """Return whether some point has these phases up to a small tolerance, by HiGHS on the network's pieces."""
    from scipy.optimize import linprog

    maps = [node.maps[0].to_csr().toarray() for node in network.affines]
    active = [problem_lower >= 0.0 for problem_lower in lower_of(network, box)]
    for place, phase in zip(bounds.neurons, phases, strict=True):
        layer = 0 if place < active[0].size else 1
        active[layer][place - layer * active[0].size] = phase > 0
    matrix, constant = np.eye(network.input_size), np.zeros(network.input_size)
    rows, sides = [], []
    for weight, node, on in zip(maps[:-1], network.affines[:-1], active, strict=True):
        matrix, constant = weight @ matrix, weight @ constant + node.bias
        sign = np.where(on, -1.0, 1.0)
        rows.append(sign[:, None] * matrix)
        sides.append(-sign * constant)
        matrix, constant = matrix * on[:, None], constant * on
    limits = np.stack([box.lower, box.upper], axis=1)
    tolerance = 1e-4
    answer = linprog(
        np.zeros(network.input_size), A_ub=np.concatenate(rows), b_ub=np.concatenate(sides) + tolerance, bounds=limits
    )
    return bool(answer.status == 0)


def lower_of(network: Network, box: Box) -> list[np.ndarray]:
    from netopt.bounds.crown import crown_bounds

    bounds = crown_bounds(network, box)
    return [bounds.lower[relu.name] for relu in network.relus]


def test_the_neuron_whose_halves_are_lowest_is_chosen() -> None:
    network = random_network(3, (4, 12, 10, 2))
    problem = problem_of(network, unit_box(network), [SlackObjective.linear(np.array([1.0, -1.0]))])
    bounds = PhaseBounds(network, problem.domain, problem.bounds, rows_of(problem.objectives))
    parts, never = bounds.whole(), np.array([-np.inf])
    known = bounds.bound(parts, 20, never)
    tried = candidates(parts, known.looseness)
    assert tried.shape == (1, min(TRIED, bounds.neurons.size))
    ranked = choose(bounds, parts, tried, never)[0]
    total = [bounds.prove(parts.halves(np.array([neuron])))[0].sum() for neuron in ranked]
    assert sorted(ranked) == sorted(tried[0])
    assert total == pytest.approx(sorted(total), abs=1e-4)


def test_neurons_that_are_not_loose_are_no_candidates() -> None:
    network = random_network(3)
    problem = problem_of(network, unit_box(network), [SlackObjective.linear(np.ones(3))])
    bounds = PhaseBounds(network, problem.domain, problem.bounds, rows_of(problem.objectives))
    parts = bounds.whole()
    parts.phase[0, 0] = 1
    looseness = np.zeros(parts.phase.shape)
    looseness[0, [0, 2]] = 1.0, np.nan
    looseness[0, 3] = 0.5
    tried = candidates(parts, looseness)
    assert tried[0, 0] == 3
    assert (tried[0, 1:] == NONE).all()
