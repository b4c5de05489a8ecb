r"""Linear programs around a point: completing it, mending it, and stepping along the networks' linearisation.

At a point v the networks are ``f(w) ~ f(w(v)) + J (w - w(v))``. With that in place of the networks the model is linear;
within a trust region its optimum is a step (successive linear programming), elastic rows make it one towards
feasibility, and free integer columns make it a small mixed-integer program. Leaps are steps with free integers of which
only some may change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import sparse

from formulations.milp import MilpBuilder, MilpModel
from netopt.arrays import FloatArray
from netopt.embedding.surrogate_candidate import Candidate, candidate
from netopt.embedding.surrogate_evaluation import TOLERANCE, Evaluator
from netopt.embedding.surrogate_problem import Block
from netopt.network.gradient import value_and_gradient

#: Solves a small model; None without a point.
Solve = Callable[[MilpModel], FloatArray | None]
#: Trust region, as a share of each decision's range: the first, and the least.
_FIRST_RADIUS, _LEAST_RADIUS = 0.25, 1e-2
_SHRINK, _GROW = 0.25, 2.0
#: Leaps: share of each decision's range, and of the binaries that may change; at least so many. Seconds and gap of one.
_FIRST_LEAP, _LEAST_LEAP, _LEAP_SHRINK, _LEAST_CHANGES = 0.4, 0.02, 0.4, 2
_LEAP_SECONDS, _LEAP_GAP = 1.0, 1e-3


class LinearSteps:
    """Steps by linear programs over the linear part.

    Parameters
    ----------
    evaluator : judges points on the true networks.
    solve : solves a small model.
    """

    def __init__(self, evaluator: Evaluator, solve: Solve) -> None:
        self.evaluator, self._solve = evaluator, solve
        self._model = evaluator.problem.linear
        self._span = self._spans()

    def _spans(self) -> FloatArray:
        """Return the range of every column that networks read, 1 where nothing bounds it."""
        lower, upper = self._model.column_lower.copy(), self._model.column_upper.copy()
        for block in self.evaluator.blocks:
            own = block.row.variables
            np.maximum.at(lower, own, block.row.lower[: own.size])
            np.minimum.at(upper, own, block.row.upper[: own.size])
        spans = np.ones_like(lower)
        bounded = np.isfinite(lower) & np.isfinite(upper)
        spans[bounded] = upper[bounded] - lower[bounded]
        return spans

    def complete(self, point: FloatArray) -> FloatArray | None:
        """Return the point with the columns of `Evaluator.rest` set best, all others as they are."""
        rest, model = self.evaluator.rest, self._model
        builder = MilpBuilder()
        columns = builder.add_columns(rest.size, lower=model.column_lower[rest], upper=model.column_upper[rest])
        known = point.copy()
        known[rest] = 0.0
        matrices = [(model.matrix, np.zeros(model.row_count), model.row_lower, model.row_upper)]
        for block in self.evaluator.blocks:
            sides = block.answers(point[None])[0]
            matrices.append((block.outputs.matrix, block.outputs.constant, sides, sides))
        for matrix, constant, lower, upper in matrices:
            inner = sparse.csr_array(matrix[:, rest])
            rows = np.flatnonzero(np.diff(inner.indptr))
            done = (matrix @ known + constant)[rows]
            builder.add_rows((columns, inner[rows]), lower=lower[rows] - done, upper=upper[rows] - done)
        builder.set_objective(columns, model.objective[rest], maximize=model.maximize)
        found = self._solve(builder.build())
        if found is None:
            return None
        known[rest] = found
        return known

    def improve(self, start: Candidate, stop: Callable[[], bool]) -> Candidate:
        """Return a better point with the same integers: steps while the true networks agree that they are better."""
        current, radius = start, _FIRST_RADIUS
        while radius >= _LEAST_RADIUS and not stop():
            model = self._linearized(current.point, fixed_integers=True)
            if not current.feasible:
                model = _elastic(model)
            point = self._solve(self._trusted(model, current.point, radius))
            found = None if point is None else self.judge(point[: self._model.column_count])
            if found is not None and found.better_than(current):
                current, radius = found, min(1.0, radius * _GROW)
            else:
                radius *= _SHRINK
        return current

    def leap(self, start: Candidate, stop: Callable[[], bool]) -> Candidate:
        """Return a better point, some of its integers changed: shorter leaps where the true networks disagree."""
        current, radius = start, _FIRST_LEAP
        while current.feasible and radius >= _LEAST_LEAP and not stop():
            found = self._leap(self._linearized(current.point, fixed_integers=False), current.point, radius)
            if found is not None and found.better_than(current):
                current = found
            else:
                radius *= _LEAP_SHRINK
        return current

    def stray(self, start: Candidate, radius: float, generator: np.random.Generator) -> Candidate:
        """Return a random point near one, the point itself where none was found."""
        model = self._model
        decided = model.integral.copy()
        decided[self.evaluator.decisions] = True
        drawn = np.where(decided, generator.standard_normal(model.column_count) / self._span, 0.0)
        found = self._leap(replace(model, objective=drawn, column_blocks=(), row_blocks=()), start.point, radius)
        return start if found is None else found

    def _leap(self, model: MilpModel, point: FloatArray, radius: float) -> Candidate | None:
        """Return the optimum near a point: binaries in all, other decisions each."""
        row, constant = decisions_row(model, point)
        near = self._trusted(model, point, radius)
        lower, upper = near.column_lower.copy(), near.column_upper.copy()
        whole = np.flatnonzero(model.integral)
        reach = np.maximum(1.0, np.floor(radius * self._span[whole]))
        lower[whole] = np.maximum(lower[whole], point[whole] - reach)
        upper[whole] = np.minimum(upper[whole], point[whole] + reach)
        changes = max(_LEAST_CHANGES, round(radius * row.nnz))
        near = replace(
            near,
            matrix=sparse.csr_array(sparse.vstack([near.matrix, row], format="csr")),
            row_lower=np.append(near.row_lower, -np.inf),
            row_upper=np.append(near.row_upper, changes - constant),
            column_lower=lower,
            column_upper=upper,
        )
        found = solve_linear(near, _LEAP_SECONDS, _LEAP_GAP)
        return None if found is None else self.judge(found)

    def guess(self, point: FloatArray) -> FloatArray | None:
        """Return the optimum of the model with the networks linearised at a point, integers free."""
        return self._solve(self._linearized(point, fixed_integers=False))

    def judge(self, point: FloatArray) -> Candidate:
        """Return a solver's point with whole integers, on the true networks; what is left over is completed."""
        model = self._model
        rounded = np.where(model.integral, np.rint(point), point)
        decided = self.evaluator.decisions
        rounded[decided] = np.clip(rounded[decided], model.column_lower[decided], model.column_upper[decided])
        found = candidate(self.evaluator.evaluate(rounded[None]), 0)
        if not self.evaluator.rest.size:
            return found
        completed = self.complete(found.point)
        if completed is None:
            return found
        better = candidate(self.evaluator.evaluate(completed[None]), 0)
        return better if better.better_than(found) else found

    def _linearized(self, point: FloatArray, *, fixed_integers: bool) -> MilpModel:
        model = self._model
        rows, sides = [model.matrix], list[FloatArray]()
        for block in self.evaluator.blocks:
            value, slope = _linearization(block, point, model.column_count)
            rows.append(sparse.csr_array(block.outputs.matrix - slope))
            sides.append(value - slope @ point - block.outputs.constant)
        lower, upper, integral = model.column_lower, model.column_upper, model.integral
        if fixed_integers:
            lower, upper = np.where(integral, point, lower), np.where(integral, point, upper)
            integral = np.zeros_like(integral)
        return replace(
            model,
            matrix=sparse.csr_array(sparse.vstack(rows, format="csr")),
            row_lower=np.concatenate([model.row_lower, *sides]),
            row_upper=np.concatenate([model.row_upper, *sides]),
            column_lower=lower,
            column_upper=upper,
            integral=integral,
            column_blocks=(),
            row_blocks=(),
        )

    def _trusted(self, model: MilpModel, point: FloatArray, radius: float) -> MilpModel:
        """Return the model with the continuous decisions within `radius` times their range."""
        decided = self.evaluator.decisions
        lower, upper = model.column_lower.copy(), model.column_upper.copy()
        reach = radius * self._span[decided]
        lower[decided] = np.maximum(lower[decided], point[decided] - reach)
        upper[decided] = np.minimum(upper[decided], point[decided] + reach)
        return replace(model, column_lower=lower, column_upper=upper)


def _linearization(block: Block, point: FloatArray, columns: int) -> tuple[FloatArray, sparse.csr_array]:
    """Return the answers at a point and their slopes with respect to all columns, (m,) and (m, columns)."""
    size = block.outputs.constant.size
    inputs = np.tile(block.row.columns_at(point), (size, 1))
    value, gradient = value_and_gradient(block.network, inputs, np.eye(size))
    slope = sparse.csr_array((gradient * block.scaling.factor[:, None]) @ block.input_matrix(columns))
    return block.scaling.unscale(value[0]), slope


def _elastic(model: MilpModel) -> MilpModel:
    """Return the model whose rows may be missed at a price, which is all that counts."""
    count, rows = model.column_count, model.row_count
    identity = sparse.eye_array(rows, format="csr")
    size = np.maximum(1.0, np.where(np.isfinite(model.row_lower), np.abs(model.row_lower), 1.0))
    return replace(
        model,
        objective=np.concatenate([np.zeros(count), 1.0 / size, 1.0 / size]),
        objective_constant=0.0,
        maximize=False,
        matrix=sparse.csr_array(sparse.hstack([model.matrix, identity, -identity], format="csr")),
        column_lower=np.concatenate([model.column_lower, np.zeros(2 * rows)]),
        column_upper=np.concatenate([model.column_upper, np.full(2 * rows, np.inf)]),
        integral=np.concatenate([model.integral, np.zeros(2 * rows, dtype=bool)]),
    )


def decisions_row(model: MilpModel, point: FloatArray) -> tuple[sparse.csr_array, float]:
    """Return the row that counts how many binaries differ from a point, and its constant: ``row @ v + constant``."""
    binary = np.flatnonzero(
        model.integral & (model.column_lower >= -TOLERANCE) & (model.column_upper <= 1.0 + TOLERANCE)
    )
    ones = point[binary] > 0.5
    sign = np.where(ones, -1.0, 1.0)
    row = sparse.csr_array((sign, (np.zeros(binary.size, dtype=np.int64), binary)), shape=(1, model.column_count))
    return row, float(ones.sum())


def solve_linear(model: MilpModel, limit: float, gap: float = 0.0) -> FloatArray | None:
    """Return the optimum of a small program by SciPy's HiGHS, in this process: a child costs more than such a program.

    A highspy of the user's in this process shares its threads with ours; SciPy's does not.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    answer = milp(
        -model.objective if model.maximize else model.objective,
        integrality=model.integral.astype(np.int64),
        bounds=Bounds(model.column_lower, model.column_upper),
        constraints=LinearConstraint(model.matrix, model.row_lower, model.row_upper) if model.row_count else None,
        options={"time_limit": limit, "mip_rel_gap": gap},
    )
    return None if answer.x is None else np.asarray(answer.x, dtype=np.float64)
