"""Planes around relu(a) - relu(b): sound on every hexagon, and nearly the best at its middle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from netopt.bounds.difference_planes import Hexagons, planes_above, planes_below

SCALES = [1e-300, 1e-150, 1e-8, 1.0, 1e8, 1e150]


def pairs_of(generator: np.random.Generator, count: int, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Return clouds of (a, b), (count, points): flat ones, points, and pairs that are equal among them."""
    spread = generator.choice([0.0, 1e-12, 1e-3, 1.0, 3.0], size=(3, count, 1))
    center = generator.normal(size=(2, count, 1)) * generator.choice([0.0, 0.1, 1.0], size=(2, count, 1))
    b = center[0] + spread[0] * generator.normal(size=(count, points))
    d = spread[2] * center[1] + spread[1] * generator.normal(size=(count, points))
    return b + d, b


def hexagons_of(a: np.ndarray, b: np.ndarray) -> Hexagons:
    """Return the tightest hexagons of clouds; a - b is rounded, so one unit is added."""
    d = a - b
    lower_d, upper_d = np.nextafter(d.min(axis=1), -np.inf), np.nextafter(d.max(axis=1), np.inf)
    return Hexagons.of((a.min(axis=1), a.max(axis=1)), (b.min(axis=1), b.max(axis=1)), (lower_d, upper_d))


@given(seed=st.integers(0, 10**6), scale=st.sampled_from(SCALES))
def test_planes_lie_around_the_difference(seed: int, scale: float) -> None:
    a, b = pairs_of(np.random.default_rng(seed), 40, 30)
    a, b = a * scale, b * scale
    pairs = hexagons_of(a, b)
    difference = np.maximum(a, 0.0) - np.maximum(b, 0.0)
    rounding = 1e-15 * (np.abs(a) + np.abs(b))
    for planes, sign in ((planes_above(pairs), 1.0), (planes_below(pairs), -1.0)):
        value = planes.slope_a[:, None] * a + planes.slope_b[:, None] * b + planes.intercept[:, None]
        assert (sign * (value - difference) >= -rounding).all()
        most = planes.gap + 1e-12 * pairs.size + 1e-306
        assert (sign * (value - difference) <= most[:, None]).all()
    lower, upper = pairs.difference_range()
    assert (lower[:, None] <= difference).all()
    assert (difference <= upper[:, None]).all()


def test_planes_are_nearly_the_lowest_in_the_middle() -> None:
    a, b = pairs_of(np.random.default_rng(1), 300, 20)
    pairs = hexagons_of(a, b)
    corners_a, corners_b = pairs.corners()
    height = np.maximum(corners_a, 0.0) - np.maximum(corners_b, 0.0)
    middle_a, middle_b = corners_a[:6].mean(axis=0), corners_b[:6].mean(axis=0)
    planes = planes_above(pairs)
    value = planes.slope_a * middle_a + planes.slope_b * middle_b + planes.intercept
    best = []
    for k in range(a.shape[0]):
        rows = -np.stack([corners_a[:, k], corners_b[:, k], np.ones(11)], axis=1)
        costs = [middle_a[k], middle_b[k], 1.0]
        answer = linprog(costs, A_ub=rows, b_ub=-height[:, k], bounds=[(0, 1), (-1, 0), (None, None)])
        assert answer.status == 0
        best.append(answer.fun)
    large = pairs.size > 1e-3  # the reference is solved to absolute tolerances
    assert large.sum() > 100
    excess = ((value - np.array(best)) / pairs.size.clip(1e-3))[large]
    assert excess.min() > -1e-5
    assert np.quantile(excess, 0.95) < 1e-3
    assert excess.max() < 0.1


@pytest.mark.parametrize("sign_a", [-1.0, 1.0])
@pytest.mark.parametrize("sign_b", [-1.0, 1.0])
def test_stable_pairs_are_exact(sign_a: float, sign_b: float) -> None:
    ends = np.array([1.0]), np.array([2.0])
    a = ends if sign_a > 0 else (-ends[1], -ends[0])
    b = ends if sign_b > 0 else (-ends[1], -ends[0])
    pairs = Hexagons.of(a, b, (np.array([-9.0]), np.array([9.0])))
    for planes in (planes_above(pairs), planes_below(pairs)):
        slopes = planes.slope_a[0], planes.slope_b[0]
        assert slopes == (float(sign_a > 0), -float(sign_b > 0))
        assert planes.intercept[0] == 0.0


def test_equal_pairs_differ_by_nothing() -> None:
    side = np.array([-1.0]), np.array([3.0])
    pairs = Hexagons.of(side, side, (np.zeros(1), np.zeros(1)))
    lower, upper = pairs.difference_range()
    assert abs(lower[0]) < 1e-13
    assert abs(upper[0]) < 1e-13
    for planes in (planes_above(pairs), planes_below(pairs)):
        value = (planes.slope_a + planes.slope_b) * np.linspace(-1.0, 3.0, 9) + planes.intercept
        np.testing.assert_allclose(value, 0.0, atol=1e-12)
        assert planes.gap[0] < 1e-12


def test_bounds_tighten_one_another() -> None:
    one = np.ones(1)
    pairs = Hexagons.of((-9.0 * one, 9.0 * one), (0.0 * one, one), (-one, 2.0 * one))
    assert pairs.lower_a[0] == pytest.approx(-1.0)
    assert pairs.upper_a[0] == pytest.approx(3.0)


def test_unbounded_pairs_get_unbounded_planes() -> None:
    infinite = np.array([-np.inf]), np.array([np.inf])
    pairs = Hexagons.of(infinite, (np.zeros(1), np.ones(1)), infinite)
    planes = planes_above(pairs)
    assert planes.intercept[0] == np.inf
    assert pairs.difference_range() == (-np.inf, np.inf)
