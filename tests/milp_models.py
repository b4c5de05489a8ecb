"""Small mixed-integer models with known answers, and an enumeration that needs no solver."""

from __future__ import annotations

from functools import cache
from itertools import combinations, product

import numpy as np
from scipy import sparse

from formulations.milp import MilpBuilder, MilpModel
from netopt.arrays import FloatArray

#: The optimum of `hard_knapsack`, on which Gurobi, HiGHS and CBC agree.
HARD_OPTIMUM = 981.0
#: An upper bound on it that every solver proves at the root, by which none stops at the optimum.
HARD_ROOT_BOUND = 1020.0


def hard_knapsack(*, maximize: bool = True) -> MilpModel:
    """Return a knapsack with 20 rows that takes seconds; minimized, its objective is the negative."""
    return _knapsack(60, 20, seed=0, maximize=maximize)


def small_knapsack(seed: int) -> MilpModel:
    return _knapsack(12, 3, seed=seed, maximize=seed % 2 == 0)


def _knapsack(items: int, rows: int, *, seed: int, maximize: bool) -> MilpModel:
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 60, (rows, items)).astype(np.float64)
    values = rng.integers(10, 60, items).astype(np.float64)
    builder = MilpBuilder()
    x = builder.add_columns(items, upper=1.0, integral=True)
    builder.add_rows((x, sparse.csr_array(weights)), upper=weights.sum(axis=1) / 3.0)
    sign = 1.0 if maximize else -1.0
    builder.set_objective(x, sign * values, constant=sign * 7.0, maximize=maximize)
    return builder.build()


def market_split() -> MilpModel:
    """Return a model that no branch and bound solves in an hour; 0 is a valid bound, 10 000 is easily reached."""
    rng = np.random.default_rng(3)
    rows, columns = 6, 50
    coefficients = rng.integers(0, 100, (rows, columns)).astype(np.float64)
    builder = MilpBuilder()
    x = builder.add_columns(columns, upper=1.0, integral=True)
    above, below = builder.add_columns(rows), builder.add_columns(rows)
    middle = np.floor(coefficients.sum(axis=1) / 2.0)
    builder.add_rows((x, sparse.csr_array(coefficients)), (above, 1.0), (below, -1.0), lower=middle, upper=middle)
    builder.set_objective(np.concatenate([above, below]), np.ones(2 * rows))
    return builder.build()


def random_milp(seed: int, *, sos1: bool = False, indicators: bool = False) -> MilpModel:
    """Return a tiny model with finite column bounds: every kind of row, zero rows, fixed columns, odd scales."""
    rng = np.random.default_rng(seed)
    integers, reals, rows = int(rng.integers(0, 4)), int(rng.integers(0, 3)), int(rng.integers(0, 5))
    count = integers + reals
    builder = MilpBuilder()
    if count == 0:
        builder.add_columns(1, lower=-1.0, upper=2.0)
        count = reals = 1
    else:
        low = rng.integers(-2, 1, count).astype(np.float64)
        integral = np.arange(count) < integers
        if indicators:
            low[:integers] = 0.0
        span = np.where(integral & indicators, 1.0, rng.integers(0, 3, count))
        builder.add_columns(count, lower=low, upper=low + span, integral=integral)
    columns = np.arange(count)
    if rows:
        matrix = rng.integers(-3, 4, (rows, count)) * rng.choice([1.0, 0.5, 100.0], (rows, 1))
        lower, upper = _sides(rng, rows)
        builder.add_rows((columns, sparse.csr_array(matrix)), lower=lower, upper=upper)
    if sos1 and count > 1:
        builder.add_sos1(rng.permutation(columns)[None, :])
    if indicators and integers:
        matrix = rng.integers(-3, 4, (2, count)).astype(np.float64)
        binary = rng.integers(0, integers, 2)
        lower, upper = _sides(rng, 2)
        for active in (False, True):
            some = slice(int(active), int(active) + 1)
            builder.add_indicators(
                binary[some], active, (columns, sparse.csr_array(matrix[some])), lower=lower[some], upper=upper[some]
            )
    objective = rng.integers(-4, 5, count) * rng.choice([1.0, 0.0, 250.0])
    builder.set_objective(columns, objective, constant=float(rng.integers(-3, 4)), maximize=bool(rng.integers(2)))
    return builder.build()


def _sides(rng: np.random.Generator, rows: int) -> tuple[FloatArray, FloatArray]:
    kind = rng.integers(0, 5, rows)  # at most, at least, equal, ranged, free
    middle = rng.integers(-3, 4, rows).astype(np.float64)
    lower = np.where((kind == 0) | (kind == 4), -np.inf, middle)
    upper = np.where((kind == 1) | (kind == 4), np.inf, middle + np.where(kind == 3, 2.0, 0.0))
    return lower, upper


def best_value(model: MilpModel) -> float | None:
    """Return the optimum by enumeration of integers and vertices, None when infeasible; at most two real columns."""
    integral, real = np.flatnonzero(model.integral), np.flatnonzero(~model.integral)
    ranges = [np.arange(model.column_lower[j], model.column_upper[j] + 1.0) for j in integral]
    planes, sides = _planes(model)
    best: float | None = None
    for values in product(*ranges):
        point = np.zeros(model.column_count)
        point[integral] = values
        for vertex in _vertices(planes[:, real], sides - planes[:, integral] @ np.array(values)):
            point[real] = vertex
            if model.violation(point) <= 1e-7:
                value = model.objective_value(point)
                if best is None or (value > best if model.maximize else value < best):
                    best = value
    return best


def _planes(model: MilpModel) -> tuple[FloatArray, FloatArray]:
    """Return every hyperplane a vertex may lie on."""
    identity = np.eye(model.column_count)
    blocks = [model.matrix.toarray(), model.matrix.toarray(), identity, identity, identity]
    sides = [model.row_lower, model.row_upper, model.column_lower, model.column_upper, np.zeros(model.column_count)]
    if model.indicators is not None:
        blocks += [model.indicators.matrix.toarray()] * 2
        sides += [model.indicators.lower, model.indicators.upper]
    left, right = np.vstack(blocks), np.concatenate(sides)
    finite = np.isfinite(right)
    return left[finite], right[finite]


def _vertices(left: FloatArray, right: FloatArray) -> list[FloatArray]:
    size = left.shape[1]
    if size == 0:
        return [np.empty(0)]
    rows = np.flatnonzero(np.abs(left).max(axis=1) > 0.0)
    found = []
    for chosen in combinations(rows.tolist(), size):
        matrix = left[list(chosen)]
        if abs(np.linalg.det(matrix)) > 1e-9:
            found.append(np.linalg.solve(matrix, right[list(chosen)]))
    return found


@cache
def knapsack_optimum(seed: int) -> float:
    model = small_knapsack(seed)
    points = np.array(list(product([0.0, 1.0], repeat=model.column_count)))
    feasible = (points @ model.matrix.toarray().T <= model.row_upper + 1e-9).all(axis=1)
    values = points[feasible] @ model.objective + model.objective_constant
    return float(values.max() if model.maximize else values.min())
