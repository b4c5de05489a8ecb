"""One suite over every domain: bounds hold, members are members, encodings agree with membership."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from formulations.milp import MilpBuilder, MilpModel
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.integer import IntegerPoints
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope

Maker = Callable[[np.random.Generator, int, float], Domain]


def make_box(rng: np.random.Generator, n: int, scale: float) -> Domain:
    low = scale * rng.uniform(-1.0, 1.0, n)
    return Box(low, low + scale * rng.uniform(0.0, 1.0, n) * rng.integers(0, 2, n))


def make_ball(rng: np.random.Generator, n: int, scale: float) -> Domain:
    low = scale * rng.uniform(-1.0, 0.0, n)
    high = low + scale * rng.uniform(0.0, 2.0, n) * rng.integers(0, 2, n)
    center = np.clip(scale * rng.uniform(-1.5, 1.5, n), low - 0.2 * scale, high + 0.2 * scale)
    spare = float(rng.choice([0.0, 0.3, 10.0]))
    return L1Ball(center, float(np.abs(np.clip(center, low, high) - center).sum()) + spare * scale, low, high)


def make_polytope(rng: np.random.Generator, n: int, scale: float) -> Domain:
    matrix = rng.standard_normal((3, n)) * rng.integers(0, 2, (3, n))
    inside = scale * rng.uniform(-0.5, 0.5, n)
    activity = matrix @ inside
    below = np.where(rng.random(3) < 0.5, -np.inf, activity - scale * rng.uniform(0.05, 0.5, 3))
    return Polytope(matrix, below, activity + scale * rng.uniform(0.05, 0.5, 3), np.full(n, -scale), np.full(n, scale))


def make_flat_polytope(rng: np.random.Generator, n: int, scale: float) -> Domain:
    matrix = rng.standard_normal((2, n))
    activity = matrix @ (scale * rng.uniform(-0.5, 0.5, n))
    upper = np.array([activity[0], activity[1] + scale])
    return Polytope(matrix, np.array([activity[0], -np.inf]), upper, np.full(n, -scale), np.full(n, scale))


def make_integer_box(rng: np.random.Generator, n: int, scale: float) -> Domain:
    low = rng.uniform(-3.0, 0.0, n)
    return IntegerPoints(Box(low, low + rng.uniform(1.0, 4.0, n)), rng.random(n) < 0.6)


def make_integer_ball(rng: np.random.Generator, n: int, scale: float) -> Domain:
    center = rng.integers(-2, 3, n).astype(np.float64)
    return IntegerPoints(
        L1Ball(center, float(rng.choice([0.0, 1.5, 3.0])), center - 1.3, center + 2.0), rng.random(n) < 0.6
    )


def make_integer_polytope(rng: np.random.Generator, n: int, scale: float) -> Domain:
    inside = rng.integers(-1, 2, n).astype(np.float64)
    matrix = rng.integers(-2, 3, (2, n)).astype(np.float64)
    base = Polytope(
        matrix, [-np.inf] * 2, matrix @ inside + rng.uniform(0.1, 2.0, 2), np.full(n, -2.5), np.full(n, 2.0)
    )
    return IntegerPoints(base, rng.random(n) < 0.6)


MAKERS: dict[str, Maker] = {
    "box": make_box,
    "l1 ball": make_ball,
    "polytope": make_polytope,
    "flat polytope": make_flat_polytope,
    "integer box": make_integer_box,
    "integer ball": make_integer_ball,
    "integer polytope": make_integer_polytope,
}
#: Kinds whose `maximize_linear` is exact (for a polytope up to the linear program's tolerance).
EXACT = {"box": 1e-12, "l1 ball": 1e-12, "polytope": 1e-6, "flat polytope": 1e-6, "integer box": 1e-12}
SCALES = [1e-9, 1.0, 1e6]

kinds = st.sampled_from(sorted(MAKERS))
seeds = st.integers(0, 2**32 - 1)
scales = st.sampled_from(SCALES)


def size_of(domain: Domain) -> float:
    return float(max(np.abs(domain.lower).max(), np.abs(domain.upper).max())) or 1.0


def encoded(domain: Domain) -> tuple[MilpModel, np.ndarray]:
    builder = MilpBuilder()
    columns = domain.encode(builder)
    return builder.build(), columns


def largest_by_milp(domain: Domain, row: np.ndarray) -> float:
    scale = 1.0 if domain.integral.any() else size_of(domain)
    model, columns = encoded(domain)
    objective = np.zeros(model.column_count)
    objective[columns] = -row
    answer = milp(  # solved in units of the domain's size: solvers' tolerances are absolute
        objective,
        integrality=model.integral.astype(int),
        bounds=Bounds(model.column_lower / scale, model.column_upper / scale),
        constraints=LinearConstraint(model.matrix, model.row_lower / scale, model.row_upper / scale),
    )
    assert answer.status == 0
    return -float(answer.fun) * scale


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_dimension_and_corners(kind: str) -> None:
    domain = MAKERS[kind](np.random.default_rng(3), 5, 1.0)
    assert domain.dimension == 5
    assert domain.lower.shape == domain.upper.shape == (5,)
    assert (domain.lower <= domain.upper).all()
    assert not domain.is_empty()


@settings(max_examples=50)
@given(kinds, seeds, st.integers(1, 5), scales)
def test_members(kind: str, seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    domain = MAKERS[kind](rng, n, scale)
    size = size_of(domain)
    samples, rows = domain.sample(rng, 20), rng.standard_normal((6, n))
    far = size * rng.uniform(-3.0, 3.0, (10, n))
    for points in (samples, domain.maximizer(rows), domain.project(far), domain.center[None]):
        assert domain.contains(points).all()
        assert (points >= domain.lower - 1e-9 * size).all()
        assert (points <= domain.upper + 1e-9 * size).all()
        assert np.array_equal(domain.project(points), points)
    outside = domain.upper + 0.1 * size
    assert not domain.contains(outside[None])[0]
    assert domain.contains(outside[None], 50.0 * size)[0]


@settings(max_examples=50)
@given(kinds, seeds, st.integers(1, 5), scales)
def test_linear_bounds(kind: str, seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    domain = MAKERS[kind](rng, n, scale)
    rows = rng.standard_normal((3, n)) * rng.integers(0, 2, (3, n)) * 10.0 ** rng.integers(-3, 4, (3, 1))
    bound = domain.maximize_linear(rows)
    slack = 1e-12 * size_of(domain) * np.abs(rows).sum(axis=1) * n
    sampled = domain.sample(rng, 50) @ rows.T
    assert (sampled.max(axis=0) <= bound + slack + 1e-9 * slack / 1e-12).all()
    assert ((domain.maximizer(rows) * rows).sum(axis=1) <= bound + slack + 1e-9 * slack / 1e-12).all()
    if kind in EXACT:
        truth = np.array([largest_by_milp(domain, row) for row in rows])
        assert np.abs(bound - truth).max() <= (EXACT[kind] + 1e-6) * size_of(domain) * (1.0 + np.abs(rows).sum())
        reached = (domain.maximizer(rows) * rows).sum(axis=1)
        assert (reached >= bound - (EXACT[kind] + 1e-6) * size_of(domain) * (1.0 + np.abs(rows).sum(axis=1))).all()


@settings(max_examples=40)
@given(seeds, st.integers(1, 4))
def test_box_and_ball_against_their_vertices(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((4, n))
    box = make_box(rng, n, 1.0)
    corners = np.array(list(product(*zip(box.lower, box.upper, strict=True))))
    assert np.allclose(box.maximize_linear(rows), (corners @ rows.T).max(axis=0), rtol=0, atol=1e-12)
    ball = make_ball(rng, n, 1.0)
    assert isinstance(ball, L1Ball)
    signs = np.array(list(product([-1.0, 1.0], repeat=n)))  # |x - c|_1 <= r as 2^n rows
    for row, found in zip(rows, ball.maximize_linear(rows), strict=True):
        sides = ball.radius + signs @ ball.middle
        answer = linprog(-row, A_ub=signs, b_ub=sides, bounds=np.stack([ball.low, ball.high], axis=1))
        assert found == pytest.approx(-answer.fun, abs=1e-9)


@settings(max_examples=50)
@given(kinds, seeds, st.integers(1, 5), scales)
def test_encoding_agrees_with_membership(kind: str, seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    domain = MAKERS[kind](rng, n, scale)
    size = size_of(domain)
    model, columns = encoded(domain)
    assert columns.tolist() == list(range(n))
    assert model.column_names[:n] == [f"x.{k}" for k in range(n)]
    assert np.array_equal(model.integral[:n], domain.integral)
    for point in domain.sample(rng, 5):
        full = domain.complete(point)
        assert full.shape == (model.column_count,)
        assert np.array_equal(full[:n], point)
        assert model.violation(full) <= 1e-8 * size
    unit = 1.0 if domain.integral.any() else size
    near = domain.sample(rng, 1)[0] + 0.3 * size * rng.standard_normal(n)
    near = np.where(domain.integral, np.rint(near), near)
    fixed = Bounds(model.column_lower / unit, model.column_upper / unit)
    fixed.lb[:n], fixed.ub[:n] = np.maximum(fixed.lb[:n], near / unit), np.minimum(fixed.ub[:n], near / unit)
    feasible = (
        bool((fixed.lb <= fixed.ub).all())
        and milp(
            np.zeros(model.column_count),
            bounds=fixed,
            constraints=LinearConstraint(model.matrix, model.row_lower / unit, model.row_upper / unit),
        ).status
        == 0
    )
    if feasible:
        assert domain.contains(near[None], 1e-5 * size)[0]
    else:
        assert not domain.contains(near[None])[0]


@settings(max_examples=60)
@given(st.sampled_from(["box", "l1 ball", "polytope", "flat polytope"]), seeds, st.integers(1, 5))
def test_projection_is_the_nearest_member(kind: str, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    domain = MAKERS[kind](rng, n, 1.0)
    points = rng.uniform(-3.0, 3.0, (6, n))
    projected = domain.project(points)
    members = domain.sample(rng, 40)
    # the angle between what was cut off and any way into the domain is not acute; polytopes only promise a near member
    towards = ((points - projected)[:, None] * (members[None] - projected[:, None])).sum(axis=2)
    if kind in ("box", "l1 ball"):
        assert (towards <= 1e-9).all()
    else:
        distance = np.linalg.norm(points - projected, axis=1) - 1e-6
        assert (distance <= np.linalg.norm(points[:, None] - members[None], axis=2).min(axis=1) * np.sqrt(n)).all()


def empties() -> dict[str, Domain]:
    unit = (np.zeros(2), np.ones(2))
    return {
        "box": Box(np.ones(2), np.zeros(2)),
        "ball away from its box": L1Ball(np.full(2, 3.0), 1.0, *unit),
        "contradicting rows": Polytope(np.ones((1, 2)), [2.5], [np.inf], *unit),
        "crossed sides": Polytope(np.ones((1, 2)), [1.0], [0.5], *unit),
        "two rows": Polytope([[1.0, 1.0], [1.0, -1.0]], [1.5, 0.8], [np.inf, np.inf], *unit),
        "no integer in the box": IntegerPoints(Box(np.full(2, 0.2), np.full(2, 0.8)), np.array([True, False])),
        "no integer in the polytope": IntegerPoints(
            Polytope(np.ones((1, 2)), [0.4], [0.6], *unit), np.array([True, True])
        ),
        "integers of an empty base": IntegerPoints(L1Ball(np.full(2, 3.0), 1.0, *unit), np.array([True, True])),
    }


@pytest.mark.parametrize("name", sorted(empties()))
def test_empty_domains_are_detected(name: str) -> None:
    domain = empties()[name]
    assert domain.is_empty()
    assert not domain.contains(np.array([[0.5, 0.5], [0.0, 0.0], [1.0, 1.0]])).any()


@pytest.mark.parametrize("scale", SCALES)
def test_point_domains(scale: float) -> None:
    point = scale * np.array([0.1, -0.7, 3.3])
    rows = np.random.default_rng(0).standard_normal((4, 3))
    for domain in (Box(point, point), L1Ball(point, 0.0, point - scale, point + scale)):
        assert not domain.is_empty()
        assert np.array_equal(domain.project(point[None] + scale), point[None])
        assert np.allclose(domain.maximize_linear(rows), rows @ point, rtol=1e-14, atol=0)
        assert np.array_equal(domain.sample(np.random.default_rng(1), 3), np.tile(point, (3, 1)))


def test_many_objectives_over_many_rows_stay_valid() -> None:
    rng = np.random.default_rng(5)
    n = 30
    matrix = rng.standard_normal((8, n))
    inside = rng.uniform(-0.5, 0.5, n)
    polytope = Polytope(matrix, matrix @ inside - 0.1, matrix @ inside + 0.2, np.full(n, -1.0), np.full(n, 1.0))
    rows = rng.standard_normal((100, n))
    cheap = polytope.maximize_linear(rows)  # too many for linear programs
    sharp = np.concatenate([polytope.maximize_linear(rows[k : k + 50]) for k in (0, 50)])
    assert (cheap >= sharp - 1e-9).all()
    assert (cheap <= Box(polytope.low, polytope.high).maximize_linear(rows) + 1e-9).all()
    assert np.median(cheap / sharp) < 1.5


def test_enclosing_box_of_a_polytope_is_tightened() -> None:
    polytope = Polytope(np.ones((1, 3)), [-np.inf], [0.5], np.zeros(3), np.ones(3))
    assert polytope.upper == pytest.approx(np.full(3, 0.5))
    assert (polytope.upper >= 0.5).all()
