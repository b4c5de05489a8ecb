from __future__ import annotations

import time

import numpy as np
from activation_patterns import largest_slack, random_perceptron
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from netopt.engines.bisection import Bisection
from netopt.engines.objective import SlackObjective
from netopt.network.build import from_weights
from netopt.specification.box import Box
from netopt.specification.property import Conjunction

VALLEY = from_weights([[[1.0], [-1.0]], [[-1.0, -1.0]]], [[0.0, 0.0], [0.0]])  # -|x|
SEGMENT = Box(np.array([-1.0]), np.array([0.9]))


def at_least(bound: float) -> SlackObjective:
    return SlackObjective.normalised(Conjunction(np.array([[-1.0]]), np.array([-bound])))


def never() -> bool:
    return False


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15)
def test_bounds_hold_and_what_is_closed_is_empty(seed: int) -> None:
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [2, 3, 2, 2])
    lower = generator.integers(-4, 3, size=2) / 2.0
    upper = lower + generator.integers(0, 4, size=2) / 2.0
    objectives, truths = [], []
    for _ in range(3):
        rows = int(generator.integers(1, 3))
        mixed = sparse.csr_array(generator.integers(-2, 3, size=(rows, 2)) / 2.0) if generator.random() < 0.5 else None
        matrix = generator.integers(-4, 5, size=(rows, 2)) / 2.0
        objective = SlackObjective.normalised(Conjunction(matrix, generator.integers(-6, 3, size=rows) / 2.0, mixed))
        objectives.append(objective)
        truths.append(largest_slack(perceptron, objective.conjunction, objective.norm, lower, upper))
    truth = np.array(truths)

    proof = Bisection(perceptron.network, Box(lower, upper), objectives)
    proof.advance(None, never, most_boxes=3000)

    assert (proof.upper >= truth - 1e-9).all()
    assert (truth[proof.closed] < 1e-9).all()
    assert proof.closed[truth < -0.05].all()


def test_a_disjunct_that_touches_zero_is_given_up_and_the_others_go_on() -> None:
    proof = Bisection(VALLEY, SEGMENT, [at_least(0.0), at_least(1e-3)])
    proof.advance(None, never, most_boxes=100_000)
    assert proof.finished
    assert proof.closed.tolist() == [False, True]
    assert proof.given_up.tolist() == [True, False]
    assert proof.upper[0] >= 0.0
    assert -1e-3 <= proof.upper[1] < 0.0


def test_open_boxes_are_shown_to_the_caller() -> None:
    seen: list[np.ndarray] = []
    proof = Bisection(VALLEY, SEGMENT, [at_least(-0.5)], lambda _, points: seen.append(points))
    proof.advance(None, never, most_boxes=8)
    points = np.concatenate(seen)
    assert SEGMENT.contains(points).all()
    assert not proof.closed[0]
    assert (np.abs(points) <= 0.5).any()


def test_it_stops_and_goes_on_where_it_stopped() -> None:
    network = random_perceptron(np.random.default_rng(1), [4, 20, 20, 1], scale=0.5).network
    box = Box(-np.ones(4), np.ones(4))
    highest = float(network.forward(box.sample(np.random.default_rng(0), 5000)).max())
    proof = Bisection(network, box, [at_least(highest + 1.0)])
    proof.advance(time.monotonic() - 1.0, never, most_boxes=10**6)
    assert proof.boxes_bounded == 0
    assert not proof.closed[0]
    proof.advance(None, lambda: proof.boxes_bounded >= 3, most_boxes=10**6)
    first, before = proof.boxes_bounded, proof.upper[0]
    assert first >= 3
    proof.advance(time.monotonic() + 2.0, never, most_boxes=first + 500)
    assert proof.boxes_bounded > first
    assert proof.upper[0] <= before
