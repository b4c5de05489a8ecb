from __future__ import annotations

import time

import numpy as np
import pytest
from activation_patterns import largest_slack, random_perceptron
from followed_search import BELOW_ZERO, Aims, Follower, problem_of
from hypothesis import given, settings
from hypothesis import strategies as st
from solved_cases import solved_case

from netopt.engines.branch_and_bound.input_split import InputSplit
from netopt.engines.objective import SlackObjective
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.property import Conjunction

VALLEY = from_weights([[[1.0], [-1.0]], [[-1.0, -1.0]]], [[0.0, 0.0], [0.0]])  # -|x|
SEGMENT = Box(np.array([-1.0]), np.array([0.9]))


def at_least(bound: float) -> SlackObjective:
    return SlackObjective.normalised(Conjunction(np.array([[-1.0]]), np.array([-bound])))


def search(network: Network, box: Box, objectives: list[SlackObjective]) -> tuple[InputSplit, Aims]:
    watch = Aims(np.full(len(objectives), BELOW_ZERO))
    return InputSplit(problem_of(network, box, objectives), watch), watch


@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1.0, 1e-3, 1e4]))
@settings(max_examples=8)
def test_bounds_hold_and_what_is_closed_is_empty(seed: int, scale: float) -> None:
    case = solved_case(seed, 2, scale)
    truth = case.truth

    proof, _ = search(case.network, case.box, case.objectives)
    proof.advance(None, most=20)
    early = proof.upper
    proof.advance(None, most=4000)

    size = 1e-6 * (1.0 + np.abs(truth))  # of the solver that says the truth
    assert (early >= truth - size).all()
    assert (proof.upper >= truth - size).all()
    assert (proof.upper <= early).all()
    closed = proof.upper <= BELOW_ZERO
    assert (truth[closed] < size[closed]).all()
    assert closed[truth < -0.05].all()


def test_an_objective_that_touches_zero_is_given_up_and_the_others_go_on() -> None:
    proof, _ = search(VALLEY, SEGMENT, [at_least(0.0), at_least(1e-3)])
    proof.advance(None, most=100_000)
    assert proof.finished
    assert 0.0 <= proof.upper[0] < 1e-5
    assert proof.upper[1] < 0.0


def test_open_boxes_are_shown_to_the_watch() -> None:
    proof, watch = search(VALLEY, SEGMENT, [at_least(-0.5)])
    proof.advance(None, most=8)
    assert SEGMENT.contains(watch.points).all()
    assert (np.abs(watch.points) <= 0.5).any()
    assert proof.upper[0] >= 0.5


def test_it_stops_goes_on_and_its_parts_can_be_dealt_out() -> None:
    network = random_perceptron(np.random.default_rng(1), [4, 20, 20, 1], scale=0.5).network
    box = Box(-np.ones(4), np.ones(4))
    highest = float(network.forward(box.sample(np.random.default_rng(0), 5000)).max())
    first, watch = search(network, box, [at_least(1.3 * highest)])
    first.advance(time.monotonic() - 1.0)
    assert first.bounded == 0
    first.advance(None, most=10)
    assert not first.finished
    watch.stop = True
    first.advance(None)
    bounded = first.bounded
    watch.stop = False
    parts = first.open
    second, _ = search(network, box, [at_least(1.3 * highest)])
    first.open, second.open = parts.take(slice(0, 2)), parts.take(slice(2, None))
    first.advance(None)
    second.advance(None)
    assert first.bounded > bounded
    assert first.finished
    assert second.finished
    assert max(first.upper[0], second.upper[0]) < 0.0


def test_a_conjunction_none_of_whose_rows_is_negative_alone_is_closed_by_a_combination() -> None:
    identity = from_weights([[[1.0], [-1.0]], [[1.0, -1.0]]], [[0.0, 0.0], [0.0]])  # x
    both = SlackObjective.normalised(Conjunction(np.array([[-1.0], [1.0]]), np.array([-0.1, -0.1])))
    proof, _ = search(identity, SEGMENT, [both])
    proof.advance(None)
    assert proof.finished
    assert proof.upper[0] < 0.0


def test_a_maximum_is_enclosed() -> None:
    """The watch asks for the best value seen; the search ends with a bound that close to it."""
    perceptron = random_perceptron(np.random.default_rng(3), [2, 4, 3, 1])
    objective = SlackObjective.linear(np.ones(1))
    box = Box(-np.ones(2), np.ones(2))
    gap = 1e-3
    problem = problem_of(perceptron.network, box, [objective])
    proof = InputSplit(problem, Follower(problem, gap))
    proof.advance(None, most=20_000)
    truth = largest_slack(perceptron, objective.conjunction, objective.norm, box.lower, box.upper)
    assert proof.finished
    assert truth - 1e-9 <= proof.upper[0] <= truth + gap + 1e-9


@pytest.mark.parametrize("width", [0.0, 1e-13, 1e-6])
def test_points_and_tiny_boxes(width: float) -> None:
    network = random_perceptron(np.random.default_rng(5), [3, 8, 8, 1]).network
    point = np.array([0.3, -0.2, 0.9])
    value = float(network.forward(point)[0])
    box = Box(point, point + width)
    open_one, _ = search(network, box, [at_least(value - 1e-9)])
    open_one.advance(None, most=2000)
    assert open_one.upper[0] >= 0.0
    closed_one, _ = search(network, box, [at_least(value + 1e-9 + 1e3 * width)])
    closed_one.advance(None, most=2000)
    assert closed_one.finished
    assert closed_one.upper[0] < 0.0
