"""Linear programs over a polytope, by SciPy's HiGHS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netopt.arrays import FloatArray, sparse
from netopt.errors import InputError

if TYPE_CHECKING:
    from netopt.specification.polytope import Polytope

_CONTRADICTION = "the linear constraints on the inputs contradict each other; no input satisfies them"


def linear_programs(polytope: Polytope, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Solve ``max c x`` for each row c: (maximisers (k, n), multipliers (k, rows)).

    Raises
    ------
    InputError
        The polytope is empty.
    """
    matrix, side, row, sign = _upper_rows(polytope)
    unit = _unit(polytope)
    box = np.stack([polytope.low, polytope.high], axis=1) / unit
    points = np.empty(coefficients.shape)
    multipliers = np.zeros((coefficients.shape[0], polytope.row_lower.size))
    for k, objective in enumerate(coefficients):
        scale = float(np.abs(objective).max(initial=0.0)) or 1.0
        answer = _solve(-objective / scale, matrix, side / unit, box)
        if answer is None:
            raise InputError(_CONTRADICTION)
        points[k] = answer.x * unit
        np.add.at(multipliers[k], row, sign * -answer.ineqlin.marginals * scale)
    return points, multipliers


def smallest_violation(polytope: Polytope) -> FloatArray:
    """Return the multipliers (rows,) of ``min v`` with every row relaxed by v: a certificate where no point exists."""
    matrix, side, row, sign = _upper_rows(polytope)
    relaxed = sparse.csr_array(sparse.hstack([matrix, sparse.csr_array(-_norms(matrix)[:, None])]))
    unit = _unit(polytope)
    box = np.concatenate([np.stack([polytope.low, polytope.high], axis=1) / unit, [[0.0, np.inf]]])
    objective = np.zeros(polytope.dimension + 1)
    objective[-1] = 1.0
    answer = _solve(objective, relaxed, side / unit, box)
    assert answer is not None  # any v large enough is feasible
    multipliers = np.zeros(polytope.row_lower.size)
    np.add.at(multipliers, row, sign * -answer.ineqlin.marginals)
    return multipliers


def inner_point(polytope: Polytope) -> tuple[FloatArray, float] | None:
    """Return a point far inside all rows and the box, and how far (1 is the box's middle); None where there is none.

    The largest s such that every row holds with s times the most that it changes from the box's middle to spare, and
    every input is s times its radius away from its bounds.
    """
    matrix, side, _, _ = _upper_rows(polytope)
    unit, n = _unit(polytope), polytope.dimension
    radius = (polytope.high - polytope.low) / 2.0 / unit
    identity = sparse.csr_array(sparse.eye_array(n))
    spare = np.concatenate([abs(matrix) @ radius, radius, radius])
    rows = sparse.vstack([matrix, identity, -identity], format="csr")
    pushed = sparse.csr_array(sparse.hstack([rows, sparse.csr_array(spare[:, None])], format="csr"))
    sides = np.concatenate([side, polytope.high, -polytope.low]) / unit
    box = np.concatenate([np.stack([polytope.low, polytope.high], axis=1) / unit, [[0.0, 1.0]]])
    objective = np.zeros(n + 1)
    objective[-1] = -1.0
    answer = _solve(objective, pushed, sides, box)
    return None if answer is None else (answer.x[:-1] * unit, float(answer.x[-1]))


def nearest_points(polytope: Polytope, points: FloatArray) -> FloatArray:
    """Return the member nearest to each point in the L1 norm: (k, n) -> (k, n).

    Raises
    ------
    InputError
        The polytope is empty.
    """
    matrix, side, _, _ = _upper_rows(polytope)
    n, unit = polytope.dimension, _unit(polytope)
    moves = sparse.csr_array(sparse.hstack([matrix, -matrix], format="csr"))  # x = point + rise - fall
    rooms = np.stack([polytope.low, polytope.high], axis=1) / unit
    nearest = np.empty(points.shape)
    for k, point in enumerate(points / unit):
        start = np.clip(point, rooms[:, 0], rooms[:, 1])
        reach = np.concatenate([rooms[:, 1] - start, start - rooms[:, 0]])
        box = np.stack([np.zeros(2 * n), reach], axis=1)
        answer = _solve(np.ones(2 * n), moves, side / unit - matrix @ start, box)
        if answer is None:
            raise InputError(_CONTRADICTION)
        nearest[k] = (start + answer.x[:n] - answer.x[n:]) * unit
    return nearest


def _unit(polytope: Polytope) -> float:
    """Return the size of the box: programs are solved in these units, as the solver's tolerances are absolute."""
    return float(max(np.abs(polytope.low).max(initial=0.0), np.abs(polytope.high).max(initial=0.0))) or 1.0


def _upper_rows(polytope: Polytope) -> tuple[sparse.csr_array, FloatArray, Any, Any]:
    """Return the finite sides as rows ``M x <= side``, with each one's row number and sign in the polytope."""
    above = np.flatnonzero(np.isfinite(polytope.row_upper))
    below = np.flatnonzero(np.isfinite(polytope.row_lower))
    matrix = sparse.csr_array(sparse.vstack([polytope.matrix[above], -polytope.matrix[below]], format="csr"))
    side = np.concatenate([polytope.row_upper[above], -polytope.row_lower[below]])
    sign = np.concatenate([np.ones(above.size), -np.ones(below.size)])
    return matrix, side, np.concatenate([above, below]), sign


def _norms(matrix: sparse.csr_array) -> FloatArray:
    """Return the Euclidean norm of each row, 1 for empty rows."""
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return np.where(norms > 0.0, norms, 1.0)


def _solve(objective: FloatArray, matrix: sparse.csr_array, side: FloatArray, box: FloatArray) -> Any | None:
    """Return SciPy's answer to ``min objective @ x, matrix @ x <= side`` within a box, None where it is infeasible."""
    from scipy.optimize import linprog

    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    solve: Any = linprog  # the stubs know no sparse constraints
    answer = solve(objective, A_ub=matrix, b_ub=side, bounds=box, method="highs", options=options)
    if answer.status == 2:
        return None
    if answer.status != 0:
        raise InputError(f"the linear program over the inputs failed ({answer.message}); rescale the input rows")
    return answer
