"""Boxes handed on to regions: bounds hold, nothing is lost on the way, also between processes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from activation_patterns import largest_slack, random_perceptron
from bound_cases import random_network
from followed_search import Aims
from hypothesis import given, settings
from hypothesis import strategies as st
from solved_cases import random_objective
from teams import ready_team

from netopt.arrays import FloatArray
from netopt.attack.gradient_ascent import ascend_linear
from netopt.bounds.compute import compute_bounds
from netopt.engines.branch_and_bound import box_split
from netopt.engines.branch_and_bound.box_split import BoxSplit, MixedParts
from netopt.engines.branch_and_bound.rounds import Rounds
from netopt.engines.branch_and_bound.schedule import box_split as make
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.objective import SlackObjective
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.specification.box import Box


def outputs(network: Network, box: Box) -> Problem:
    """Return the problem of bounding every output."""
    rows = np.eye(network.output_size)
    return Problem(network, box, compute_bounds(network, box), tuple(SlackObjective.linear(row) for row in rows))


@given(seed=st.integers(0, 10**6), handed_on=st.sampled_from([0, 3, 30]))
@settings(max_examples=12)
def test_bounds_hold_and_what_suffices_is_reached(seed: int, handed_on: int) -> None:
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [2, 3, 3, 2])
    lower = generator.integers(-4, 3, size=2) / 2.0
    upper = lower + generator.integers(0, 4, size=2) / 2.0
    objectives = [random_objective(generator, rows, 2, 2, mixed=False, most=2) for rows in (1, 2)]
    truth = np.array([largest_slack(perceptron, one.conjunction, one.norm, lower, upper) for one in objectives])
    box = Box(lower, upper)
    problem = Problem(perceptron.network, box, compute_bounds(perceptron.network, box), tuple(objectives))
    aims = Aims(truth - 0.01 * (1.0 + np.abs(truth)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(box_split, "_UNSTABLE", handed_on)
        patch.setattr(box_split, "_ALONE", 0.0)
        patch.setattr(box_split, "_TURN", 0.01)
        reached = BoxSplit(problem, Aims(truth + 0.01 * (1.0 + np.abs(truth))))
        reached.advance(time.monotonic() + 20.0)
        never = BoxSplit(problem, aims)
        never.advance(time.monotonic() + 0.3)
    assert reached.finished
    assert (reached.upper <= truth + 0.01 * (1.0 + np.abs(truth))).all()
    assert (reached.upper >= truth - 1e-9).all()
    assert (never.upper >= truth - 1e-9).all()
    assert all(box.contains(points).all() for _, points in aims.shown)


def handed_over(monkeypatch: pytest.MonkeyPatch, margin: float) -> tuple[BoxSplit, FloatArray]:
    """Return a search with boxes and regions open, and the largest outputs seen."""
    network = random_network(1, (3, 24, 24, 2), scale=1.0)
    box = Box(-np.ones(3), np.ones(3))
    generator = np.random.default_rng(0)
    most = np.array([ascend_linear(network, box, row, generator=generator, rounds=3)[1] for row in np.eye(2)])
    monkeypatch.setattr(box_split, "_ALONE", 0.0)
    monkeypatch.setattr(box_split, "_TURN", 0.02)
    monkeypatch.setattr(box_split, "_AT_ONCE", 3)
    search = BoxSplit(outputs(network, box), Aims(most + margin))
    search.advance(None, most=200)
    return search, most


def test_parts_can_be_taken_apart_and_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    search, _ = handed_over(monkeypatch, margin=-0.1)
    parts = search.open
    assert parts.boxes.count
    assert parts.regions.count
    assert parts.upper.shape == (parts.count, 2)
    odd, even = parts.take(slice(1, None, 2)), parts.take(np.arange(0, parts.count, 2))
    assert odd.count + even.count == parts.count
    together = odd.then(even)
    assert np.sort(together.upper, axis=0).tolist() == np.sort(parts.upper, axis=0).tolist()
    assert together.boxes.count == parts.boxes.count
    none = parts.take(np.zeros(parts.count, dtype=bool))
    assert none.count == 0
    assert isinstance(none, MixedParts)


def test_several_processes_come_to_the_same_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    search, most = handed_over(monkeypatch, margin=-0.1)
    assert search.open.boxes.count
    assert search.open.regions.count
    monkeypatch.setattr(search.watch, "bounds", most + 0.02)
    team = ready_team(lambda: ThreadPoolExecutor(1), 1)
    rounds, end = Rounds(team, make), time.monotonic() + 30.0
    while not search.finished and time.monotonic() < end:
        rounds.advance(search, time.monotonic() + 0.2, None)
    team.close()
    assert search.finished
    assert (most <= search.upper).all()
    assert (search.upper <= most + 0.02).all()


def test_whoever_goes_on_with_parts_goes_on_with_their_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    first, most = handed_over(monkeypatch, margin=-0.1)
    monkeypatch.setattr(box_split, "_ALONE", 3600.0)
    for lead, handed_on in [(0.0, False), (3700.0, True)]:
        second = BoxSplit(first.problem, Aims(most - 0.1))
        second.open = replace(first.open, lead=lead).take(slice(0, first.open.boxes.count))
        assert second.open.lead == lead
        second.advance(None, most=1)
        assert (second._regions.bounded > 0) is handed_on
    assert first.open.then(replace(first.open, lead=9.0)).lead == 9.0


@given(seed=st.integers(0, 10**6))
@settings(max_examples=8)
def test_bounds_hold_where_opposite_neurons_share_a_relu(seed: int) -> None:
    generator = np.random.default_rng(seed)
    perceptron = random_perceptron(generator, [2, 3, 2, 2])
    first, second, last = (node.maps[0].to_csr().toarray() for node in perceptron.network.affines)
    biases = [node.bias for node in perceptron.network.affines]
    # Every neuron with its opposite; what reads them takes another multiple of it.
    weights = [
        np.concatenate([first, -first]),
        np.concatenate([np.hstack([second, -second]), -np.hstack([second, -second])]),
        np.hstack([last, 2.0 * last]),
    ]
    network = from_weights(
        weights, [np.concatenate([biases[0], -biases[0]]), np.concatenate([biases[1], -biases[1]]), biases[2]]
    )
    box = Box(-np.ones(2), generator.random(2))
    problem = outputs(network, box)
    search = make(problem, Aims(np.full(2, -np.inf)))
    assert isinstance(search, BoxSplit)
    assert search.problem.network.relu_count <= network.relu_count // 2
    points = generator.uniform(box.lower, box.upper, size=(2000, 2))
    best = network.forward(points).max(axis=0)
    for most in (1, 50):
        search.advance(None, most=most)
        assert (search.upper >= best).all()
    # What splits without that end says the same.
    direct = BoxSplit(problem, Aims(np.full(2, -np.inf)))
    direct.advance(None, most=400)
    search.advance(None, most=400)
    assert np.allclose(direct.upper, search.upper, atol=0.1 * (1.0 + np.abs(best)))
