r"""Many small linear programs at once: a dual simplex method whose every step is whole-array, with rigorous bounds.

.. math:: \max \{ c v : G v \le h,\; l \le v \le u \}, \qquad B \text{ of them, each with its own } c, G, h, l, u.

A basis is a set of as many rows (of G or of the box) as there are variables, whose multipliers are not negative; it
defines a vertex. The row the vertex violates most enters, the ratio test says which leaves (textbook, with the inverse
kept explicitly: the programs have a few dozen variables). Any multipliers :math:`y \ge 0` prove

.. math:: c v \le y h + \max_{l \le v \le u} (c - y G) v ,

which is evaluated with its rounding error (Neumaier and Shcherbina, *Safe bounds in linear and mixed-integer linear
programming*, Math. Program. 99, 2004), so that nothing depends on how exactly a program was solved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, Entries, FloatArray, IntArray
from netopt.bounds.rounding import TINY, gamma, middle_and_radius, sound_upper

#: A row is violated where it is by more than this share of its size; a pivot is at least this share of the largest.
_VIOLATED, _PIVOT = 1e-10, 1e-9
#: Steps, for each variable and for all, after which a program is left as it is.
_STEPS_A_VARIABLE, _STEPS = 8, 20


@dataclass(frozen=True, slots=True, eq=False)
class Programs(Entries):
    """B programs with v variables and k rows each; rows of zeros with a side of zero say nothing.

    Attributes
    ----------
    objective : (B, v), maximised.
    matrix, side : (B, k, v) and (B, k).
    lower, upper : (B, v), finite.
    """

    objective: FloatArray
    matrix: FloatArray
    side: FloatArray
    lower: FloatArray
    upper: FloatArray

    @property
    def count(self) -> int:
        """Number of programs B."""
        return len(self.objective)

    @property
    def variables(self) -> int:
        """Number of variables v."""
        return int(self.objective.shape[1])

    def corner(self) -> IntArray:
        """Return the basis of the box's corner where the objective is largest, (B, v)."""
        number = np.arange(self.variables)
        return np.where(self.objective >= 0.0, number, self.variables + number)

    def rows(self, which: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return rows (B, r): 0 … v-1 upper sides of the box, v … 2v-1 lower ones, then those of the matrix."""
        v = self.variables
        matrix, side = np.zeros((*which.shape, v)), np.zeros(which.shape)
        for first, sign, bound in ((0, 1.0, self.upper), (v, -1.0, self.lower)):
            program, place = np.nonzero((which >= first) & (which < first + v))
            column = which[program, place] - first
            matrix[program, place, column] = sign
            side[program, place] = sign * bound[program, column]
        program, place = np.nonzero(which >= 2 * v)
        row = which[program, place] - 2 * v
        matrix[program, place], side[program, place] = self.matrix[program, row], self.side[program, row]
        return matrix, side

    def proven(self, objective: FloatArray, multipliers: FloatArray) -> FloatArray:
        """Return sound upper bounds of ``objective @ v`` over each program, (B,), by multipliers (B, k) >= 0."""
        middle, radius = middle_and_radius(self.lower, self.upper)
        reach = np.maximum(np.abs(self.lower), np.abs(self.upper))
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            left = objective - _product(multipliers, self.matrix)
            sides = multipliers * self.side
            value = sides.sum(axis=1) + (left * middle).sum(axis=1) + (np.abs(left) * radius).sum(axis=1)
            weight = np.abs(objective) + _product(multipliers, np.abs(self.matrix))
            size = np.abs(sides).sum(axis=1) + (weight * reach).sum(axis=1)
            terms = multipliers.shape[1] + self.variables + 8
            lost = terms * TINY * (1.0 + reach.sum(axis=1))
            return sound_upper(value + 8.0 * gamma(terms) * size + 8.0 * lost)


@dataclass(frozen=True, slots=True, eq=False)
class Solutions:
    """What `solve` found; nothing of it is proven before `Programs.proven` says so.

    Attributes
    ----------
    multipliers : (B, k) of the rows, >= 0; where a program is empty they show that.
    point : (B, v) the last vertex.
    empty : (B,) whether no point satisfies the rows.
    """

    multipliers: FloatArray
    point: FloatArray
    empty: BoolArray


def solve(programs: Programs, basis: IntArray | None = None, enough: FloatArray | None = None) -> Solutions:
    """Solve programs from a basis (B, v) whose multipliers are not negative (the box's corner if None).

    Parameters
    ----------
    enough : (B,) a program is left once its bound is below.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.dual_simplex import Programs, solve
    >>> one = np.ones((1, 2))
    >>> programs = Programs(one, np.array([[[2.0, 1.0]]]), np.array([[1.0]]), 0.0 * one, one)
    >>> answer = solve(programs)
    >>> answer.point.tolist(), programs.proven(one, answer.multipliers).round(9).tolist()
    ([[0.0, 1.0]], [1.0])
    """
    tableau = _Tableau(programs, programs.corner() if basis is None else basis, enough)
    for _ in range(_STEPS_A_VARIABLE * programs.variables + _STEPS):
        if not tableau.step():
            break
    else:
        tableau.keep_all()
    return Solutions(tableau.multipliers, tableau.points, tableau.empty)


class _Tableau:
    """The programs that are still being solved, and what was found for all."""

    def __init__(self, programs: Programs, basis: IntArray, enough: FloatArray | None) -> None:
        count = programs.count
        self.multipliers = np.zeros(programs.side.shape)
        self.points = np.where(programs.objective >= 0.0, programs.upper, programs.lower)
        self.empty = np.zeros(count, dtype=bool)
        matrix, side = programs.rows(basis)
        usable = np.abs(np.linalg.slogdet(matrix)[0]) > 0.0
        basis, matrix, side = basis.copy(), matrix.copy(), side.copy()
        if not usable.all():
            basis[~usable] = programs.corner()[~usable]
            matrix[~usable], side[~usable] = programs.take(~usable).rows(basis[~usable])
        inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
        reach = np.maximum(np.abs(programs.lower), np.abs(programs.upper))
        norm = np.sqrt((programs.matrix**2).sum(axis=2))
        size = np.matmul(np.abs(programs.matrix), reach[:, :, None])[:, :, 0] + np.abs(programs.side)
        self._live = {
            "who": np.arange(count),
            "basis": basis,
            "inverse": inverse,
            "vertex": np.matmul(inverse, side[:, :, None])[:, :, 0],
            "multiplier": np.maximum(_product(programs.objective, inverse), 0.0),
            "objective": programs.objective,
            "matrix": programs.matrix,
            "side": programs.side,
            "lower": programs.lower,
            "upper": programs.upper,
            "scale": 1.0 / np.where(norm > 0.0, norm, 1.0),
            "tolerance": _VIOLATED * size + TINY,
            "box_tolerance": _VIOLATED * (np.abs(programs.lower) + np.abs(programs.upper)) + TINY,
            "enough": np.full(count, -np.inf) if enough is None else enough,
        }

    def step(self) -> bool:
        """Pivot every program once; say whether any is left."""
        self._drop_done()
        if not self._live["who"].size:
            return False
        live, which = self._live, np.arange(self._live["who"].size)
        rows, sides = self._programs().rows(self._entering[:, None])
        row, side = rows[:, 0], sides[:, 0]
        weight = _product(row, live["inverse"])
        pivots = weight > _PIVOT * np.maximum(np.abs(weight).max(axis=1, keepdims=True), TINY)
        if not pivots.any(axis=1).all():
            self._note_empty(~pivots.any(axis=1), weight)
            return True
        ratio = np.where(pivots, live["multiplier"] / np.where(pivots, weight, 1.0), np.inf)
        near = ratio <= ratio.min(axis=1, keepdims=True) * (1.0 + 1e-9) + 1e-14
        leaving = np.where(near & pivots, weight, -1.0).argmax(axis=1)  # of ties the largest pivot
        share = ratio[which, leaving]
        live["multiplier"] = np.maximum(live["multiplier"] - share[:, None] * weight, 0.0)
        live["multiplier"][which, leaving] = share
        column = live["inverse"][which, :, leaving] / weight[which, leaving][:, None]
        excess = (row * live["vertex"]).sum(axis=1) - side
        live["vertex"] = live["vertex"] - column * excess[:, None]
        weight[which, leaving] = 0.0
        live["inverse"] -= column[:, :, None] * weight[:, None, :]
        live["inverse"][which, :, leaving] = column
        live["basis"][which, leaving] = self._entering
        return True

    def keep_all(self) -> None:
        """Note what there is of the programs that took too many steps."""
        self._note(np.ones(self._live["who"].size, dtype=bool), self._live["multiplier"])

    def _drop_done(self) -> None:
        """Note the programs whose vertex satisfies all rows or whose bound is good enough; choose the others' rows."""
        live = self._live
        vertex = live["vertex"]
        over = np.matmul(live["matrix"], vertex[:, :, None])[:, :, 0] - live["side"]
        excess = np.concatenate(
            [
                _where_over(vertex - live["upper"], live["box_tolerance"]),
                _where_over(live["lower"] - vertex, live["box_tolerance"]),
                _where_over(over, live["tolerance"]) * live["scale"],
            ],
            axis=1,
        )
        entering = excess.argmax(axis=1)
        good = (live["objective"] * vertex).sum(axis=1) < live["enough"]
        # A vertex that is not finite any more is no start for another step either.
        done = good | ~(excess[np.arange(entering.size), entering] > 0.0) | ~np.isfinite(vertex).all(axis=1)
        self._entering = entering[~done]
        if done.any():
            self._note(done, live["multiplier"])
            self._live = {name: value[~done] for name, value in live.items()}

    def _note_empty(self, empty: BoolArray, weight: FloatArray) -> None:
        """Note programs whose entering row contradicts the rows of the basis."""
        self._note(empty, np.maximum(-weight, 0.0))
        who, row = self._live["who"][empty], self._entering[empty] - 2 * weight.shape[1]
        self.empty[who] = True
        self.multipliers[who[row >= 0], row[row >= 0]] += 1.0
        self._live = {name: value[~empty] for name, value in self._live.items()}

    def _note(self, which: BoolArray, multiplier: FloatArray) -> None:
        live = self._live
        who, basis = live["who"][which], live["basis"][which]
        self.points[who] = live["vertex"][which]
        self.multipliers[who] = 0.0
        program, place = np.nonzero(basis >= 2 * basis.shape[1])
        value = multiplier[which][program, place]
        row = basis[program, place] - 2 * basis.shape[1]
        self.multipliers[who[program], row] = np.where(np.isfinite(value), value, 0.0)

    def _programs(self) -> Programs:
        live = self._live
        return Programs(live["objective"], live["matrix"], live["side"], live["lower"], live["upper"])


def _where_over(excess: FloatArray, tolerance: FloatArray) -> FloatArray:
    """Return by how much rows are violated, 0 where that is within the tolerance."""
    return np.where(excess > tolerance, excess, 0.0)


def _product(vectors: FloatArray, matrices: FloatArray) -> FloatArray:
    """Return ``vectors[i] @ matrices[i]``: (B, k), (B, k, v) -> (B, v)."""
    product: FloatArray = np.matmul(vectors[:, None, :], matrices)[:, 0, :]
    return product
