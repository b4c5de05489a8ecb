from __future__ import annotations

import numpy as np
import pytest
from bound_cases import convolutional_network, degenerate_network, random_network, residual_network, unit_box
from followed_search import Follower, problem_of
from hypothesis import given, settings
from hypothesis import strategies as st
from solved_cases import solved_case

from netopt.engines.branch_and_bound.box_parts import outward
from netopt.engines.branch_and_bound.domain_rows import has_exact_rows
from netopt.engines.branch_and_bound.input_split import InputSplit
from netopt.engines.branch_and_bound.region_parts import RegionParts
from netopt.engines.branch_and_bound.regions import Regions
from netopt.engines.objective import SlackObjective
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.proof.trail import SILENT
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope
from netopt.specification.property import Conjunction


def search(
    network: Network, domain: Domain, objectives: list[SlackObjective], gap: float | None
) -> tuple[Regions, Follower]:
    problem = problem_of(network, domain, objectives)
    follower = Follower(problem, gap)
    return Regions(problem, follower), follower


@given(seed=st.integers(0, 10**6))
@settings(max_examples=12)
def test_maxima_are_those_of_all_activation_patterns(seed: int) -> None:
    case = solved_case(seed, 2)
    regions, follower = search(case.network, case.box, case.objectives, 1e-6)

    regions.advance(None, most=5000)

    assert regions.finished
    assert (regions.upper >= case.truth - 1e-9).all()
    assert regions.upper == pytest.approx(case.truth, abs=1e-5)
    assert follower.best == pytest.approx(case.truth, abs=1e-5)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=12)
def test_what_is_proven_negative_is(seed: int) -> None:
    case = solved_case(seed, 2)
    regions, _ = search(case.network, case.box, case.objectives, None)

    regions.advance(None, most=3000)

    negative = regions.upper < 0.0
    assert (regions.upper >= case.truth - 1e-9).all()
    assert (case.truth[negative] < 1e-9).all()
    assert negative[case.truth < -1e-6].all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    "network",
    [random_network(3, (3, 8, 8, 2)), degenerate_network(), residual_network(), convolutional_network()],
    ids=["dense", "degenerate", "residual", "convolutional"],
)
def test_bounds_hold_at_samples_whenever_a_search_is_left(network: Network, scale: float) -> None:
    box = unit_box(network)
    weights = np.random.default_rng(5).standard_normal(network.output_size) * scale
    regions, follower = search(network, box, [SlackObjective.linear(weights)], 1e-4 * scale)
    points = box.sample(np.random.default_rng(6), 10_000)
    largest = (network.forward(points) @ weights).max()
    for _ in range(4):
        regions.advance(None, most=regions.bounded + 60)
        assert regions.upper[0] >= max(largest, follower.best[0])
    assert regions.bounded > 0


def test_parts_left_by_one_search_are_finished_by_another() -> None:
    network = random_network(11, (3, 9, 9, 2))
    box = unit_box(network)
    objectives = [SlackObjective.linear(np.array([1.0, -1.0])), SlackObjective.linear(np.array([0.0, 1.0]))]
    alone, best = search(network, box, objectives, 1e-6)
    alone.advance(None)
    first, follower = search(network, box, objectives, 1e-6)
    first.advance(None, most=6)
    assert not first.finished
    parts, count = first.open, first.open.count
    rest = Regions(first.problem, follower, parts.take(slice(count // 2, None)))
    rest.open = parts.take(slice(0, count // 2)).then(rest.open)
    rest.advance(None)
    assert rest.finished
    assert np.maximum(rest.upper, first.closed_upper) == pytest.approx(alone.upper, abs=1e-5)
    assert follower.best == pytest.approx(best.best, abs=1e-5)


def test_boxes_left_by_a_search_that_splits_inputs_are_finished() -> None:
    network = random_network(11, (3, 9, 9, 2))
    objectives = [SlackObjective.linear(np.array([1.0, -1.0])), SlackObjective.linear(np.array([0.0, 1.0]))]
    alone, _ = search(network, unit_box(network), objectives, 1e-6)
    alone.advance(None)
    regions, follower = search(network, unit_box(network), objectives, 1e-6)
    boxes = InputSplit(regions.problem, follower)
    boxes.advance(None, most=10)
    assert not boxes.finished
    regions.open = RegionParts.of_boxes(boxes.open)
    regions.advance(None)
    assert regions.finished
    assert np.maximum(regions.upper, boxes.closed_upper) == pytest.approx(alone.upper, abs=1e-5)


def test_rows_of_a_polytope_count() -> None:
    network = from_weights([[[1.0, 1.0]], [[1.0]]], [[-0.5], [0.0]])  # max(0, x + y - 1/2)
    triangle = Polytope(np.ones((1, 2)), [-np.inf], [1.0], np.zeros(2), np.ones(2))
    regions, follower = search(network, triangle, [SlackObjective.linear(np.ones(1))], 1e-6)
    regions.advance(None, most=100)
    assert regions.finished
    assert regions.upper[0] == pytest.approx(0.5, abs=1e-5)
    assert follower.best[0] == pytest.approx(0.5, abs=1e-5)


def test_an_objective_that_touches_zero_is_given_up_and_others_are_not() -> None:
    valley = from_weights([[[1.0], [-1.0]], [[-1.0, -1.0]]], [[0.0, 0.0], [0.0]])  # -|x|
    objectives = [
        SlackObjective.normalised(Conjunction(np.array([[-1.0]]), np.array([-level]))) for level in (0.0, 1e-3)
    ]
    regions, follower = search(valley, Box(np.array([-1.0]), np.array([0.9])), objectives, None)
    regions.advance(None, most=1000)
    assert regions.finished
    assert regions.upper[0] >= 0.0 > regions.upper[1]
    assert follower.best[0] == pytest.approx(0.0, abs=1e-9)


def test_a_search_ends_at_the_deadline_and_at_the_number_of_parts() -> None:
    network = random_network(2, (4, 20, 20, 2))
    regions, _ = search(network, unit_box(network, 3.0), [SlackObjective.linear(np.ones(2))], 1e-9)
    regions.advance(0.0)
    assert regions.bounded == 0
    assert regions.upper[0] == np.inf
    regions.advance(None, most=1)
    assert regions.bounded == 1
    assert np.isfinite(regions.upper[0])


def test_kinds_of_domain() -> None:
    box = Box(np.zeros(2), np.ones(2))
    assert has_exact_rows(box)
    assert has_exact_rows(Polytope(np.ones((1, 2)), [-np.inf], [1.0], np.zeros(2), np.ones(2)))
    assert has_exact_rows(L1Ball(np.zeros(2), 1.0, -np.ones(2), np.ones(2)))
    assert not has_exact_rows(L1Ball(np.zeros(9), 1.0, -np.ones(9), np.ones(9)))


def test_single_precision_bounds_are_rounded_outward() -> None:
    values = np.array([0.1, -0.1, 1e300, -1e300, 1e-60, -1e-60, 0.0])
    low, high = outward(values, values)
    assert (low.astype(np.float64) <= values).all()
    assert (high.astype(np.float64) >= values).all()


def test_parts_split_into_what_they_were() -> None:
    whole = RegionParts.whole(np.zeros(2), np.ones(2), (np.array([-1.0]), np.array([2.0])), np.arange(2))
    halves = whole.halved(np.array([0, 1]), SILENT)
    assert halves.high[:2].tolist() == [[0.5, 1.0], [1.0, 0.5]]
    assert halves.low[2:].tolist() == [[0.5, 0.0], [0.0, 0.5]]
    fixed = whole.with_phases(np.array([0, 0]), SILENT)
    assert fixed.known_lower[:, 0].tolist() == [0.0, 0.0, -1.0, -1.0]
    assert fixed.known_upper[:, 0].tolist() == [2.0, 2.0, 0.0, 0.0]
    assert whole.phase.tolist() == [[0], [0]]


@pytest.mark.parametrize("name", ["ACASXU_run2a_1_9", "ACASXU_run2a_5_4"])
def test_public_instances(vnncomp, name: str) -> None:
    from netopt.network.load import load_network
    from netopt.specification.vnnlib import read_vnnlib

    folder = vnncomp / "acasxu_2023"
    which = {"ACASXU_run2a_1_9": "prop_2", "ACASXU_run2a_5_4": "prop_1"}[name]
    network = load_network(next(folder.rglob(f"{name}_batch_2000.onnx*")))
    case = read_vnnlib(next(folder.rglob(f"{which}.vnnlib*"))).cases[0]
    objectives = [SlackObjective.normalised(disjunct) for disjunct in case.disjuncts]
    regions, follower = search(network, case.domain, objectives, None)
    regions.advance(None, most=3000)
    assert regions.finished
    assert (regions.upper < 0.0).all()
    assert (follower.best < 0.0).all()
