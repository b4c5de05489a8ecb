"""Rounding to float32 stays inside the domain."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from netopt.specification.box import Box
from netopt.specification.integer import IntegerPoints
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope
from netopt.specification.rounding import round_inward

finite = st.floats(-1e30, 1e30)


def is_float32(values: np.ndarray) -> bool:
    return bool((values.astype(np.float32).astype(np.float64) == values).all())


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_boxes(sides: list[tuple[float, float]], seed: int) -> None:
    low, high = np.array([min(pair) for pair in sides]), np.array([max(pair) for pair in sides])
    box = Box(low, high)
    points = np.concatenate([box.sample(np.random.default_rng(seed), 4), low[None], high[None]])
    rounded, kept = round_inward(box, points)
    assert kept.all()
    assert is_float32(rounded)
    for k in range(low.size):
        near = np.float32(low[k])
        grid = [near, np.nextafter(near, np.float32(np.inf))]
        if any(low[k] <= float(value) <= high[k] for value in grid):
            assert (low[k] <= rounded[:, k]).all()
            assert (rounded[:, k] <= high[k]).all()
            assert (np.abs(rounded[:, k] - points[:, k]) <= np.spacing(np.abs(points[:, k]).astype(np.float32))).all()
        else:
            assert (rounded[:, k] == float(np.float32((low[k] + high[k]) / 2.0))).all()


def test_fixed_inputs_take_the_nearest_float32() -> None:
    box = Box(np.array([0.1, 0.0]), np.array([0.1, 1.0]))
    rounded, kept = round_inward(box, np.array([[0.1, 0.3]]))
    assert kept.tolist() == [True]
    assert rounded[0].tolist() == [float(np.float32(0.1)), float(np.float32(0.3))]


def test_points_outside_are_moved_in() -> None:
    rounded, kept = round_inward(Box(np.zeros(2), np.full(2, 0.1)), np.array([[-1.0, 0.3]]))
    assert kept.tolist() == [True]
    assert (rounded <= 0.1).all()
    assert (rounded >= 0.0).all()


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_balls_and_polytopes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    center = rng.uniform(-1.0, 1.0, 6)
    ball = L1Ball(center, 0.37, center - 0.3, center + 0.3)
    rows = rng.standard_normal((3, 6))
    polytope = Polytope(rows, [-np.inf] * 3, rows @ center + 0.1, center - 0.3, center + 0.3)
    for domain in (ball, polytope):
        points = np.concatenate([domain.maximizer(rng.standard_normal((5, 6))), domain.sample(rng, 5)])
        rounded, kept = round_inward(domain, points)
        assert is_float32(rounded)
        assert domain.contains(rounded[kept]).all()
        assert np.abs(rounded - points).max() <= 1e-6
    assert round_inward(ball, ball.sample(rng, 20))[1].all()


def test_integers_stay_integers() -> None:
    domain = IntegerPoints(Box(np.array([-2.5, 0.1]), np.array([2.5, 0.9])), np.array([True, False]))
    rounded, kept = round_inward(domain, domain.sample(np.random.default_rng(0), 30))
    assert kept.all()
    assert domain.contains(rounded).all()


def test_values_beyond_float32_are_not_kept() -> None:
    rounded, kept = round_inward(Box(np.array([1e39]), np.array([1e39])), np.array([[1e39]]))
    assert kept.tolist() == [False]
    assert np.isinf(rounded).all()


def test_members_of_a_ball_whose_centre_is_no_float32_point_are_kept() -> None:
    rng = np.random.default_rng(3)
    center = rng.integers(0, 256, 784) / 255.0
    ball = L1Ball(center, 5.0, np.zeros(784), np.ones(784))
    points = ball.maximizer(rng.standard_normal((20, 784)))  # they spend the whole budget

    rounded, kept = round_inward(ball, points)

    assert kept.all()
    assert ball.contains(rounded).all()
    np.testing.assert_array_equal(rounded, rounded.astype(np.float32))
    assert np.abs(rounded - points).max() < 1e-4
