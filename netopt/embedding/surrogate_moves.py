"""Flips and swaps of integer decisions, judged on the true networks in batches.

A move adds 1 to an integer column, takes 1 off one, or does both with two columns. Moves that break a row of nothing
but decisions are dropped before any network is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from netopt.arrays import FloatArray, IntArray
from netopt.embedding.surrogate_candidate import Candidate, candidate
from netopt.embedding.surrogate_evaluation import TOLERANCE, Evaluated, Evaluator

#: Points evaluated at once.
_BATCH = 256
#: Most moves looked at from one point; a sample of the others.
_MOST_MOVES = 20_000
#: Points of a batch that a linear program completes, where one is needed.
_COMPLETED = 3

#: Sets the columns of `Evaluator.rest` of one point best; None where that cannot be done.
Complete = Callable[[FloatArray], FloatArray | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Moves:
    """Steps of at most two columns: ``point[up] += 1`` and ``point[down] -= 1``, -1 being no column."""

    up: IntArray
    down: IntArray

    def __getitem__(self, index: IntArray) -> _Moves:
        return _Moves(self.up[index], self.down[index])

    def apply(self, point: FloatArray) -> FloatArray:
        """Return the points moved to, (moves, columns)."""
        points = np.tile(point, (self.up.size, 1))
        index = np.arange(self.up.size)
        ups, downs = self.up >= 0, self.down >= 0
        points[index[ups], self.up[ups]] += 1.0
        points[index[downs], self.down[downs]] -= 1.0
        return points


class LocalSearch:
    """First improvement over random batches of moves, restarted from disturbed points.

    Parameters
    ----------
    evaluator : judges points.
    complete : sets what neither decisions nor networks define.
    generator : governs the order of the moves.
    """

    def __init__(self, evaluator: Evaluator, complete: Complete, generator: np.random.Generator) -> None:
        self._evaluator, self._complete, self._generator = evaluator, complete, generator
        model = evaluator.problem.linear
        self._integers = np.flatnonzero(model.integral & (model.column_lower < model.column_upper))
        decided = model.integral.copy()
        decided[evaluator.decisions] = True
        owner = np.repeat(np.arange(model.row_count), np.diff(model.matrix.indptr))
        free = np.ones(model.row_count, dtype=bool)
        free[owner[~decided[model.matrix.indices]]] = False
        rows = np.flatnonzero(free)
        self._matrix: sparse.csc_array = sparse.csc_array(model.matrix[rows])
        self._lower, self._upper = model.row_lower[rows], model.row_upper[rows]

    @property
    def possible(self) -> bool:
        """Whether there is an integer decision to change."""
        return self._integers.size > 0

    def descend(self, start: Candidate, stop: Callable[[], bool]) -> Candidate:
        """Return a point that no move improves, or what was reached when `stop` said so."""
        current = start
        while not stop():
            better = self._step(current, stop)
            if better is None:
                break
            current = better
        return current

    def disturb(self, start: Candidate, strength: int) -> Candidate:
        """Return the point after some random moves."""
        point = start.point
        for _ in range(strength):
            moves = self._moves(point)
            if not moves.up.size:
                break
            point = moves[self._generator.integers(moves.up.size, size=1)].apply(point)[0]
        return candidate(self._judged(point[None]), 0)

    def _step(self, current: Candidate, stop: Callable[[], bool]) -> Candidate | None:
        """Return the best point of the first batch that holds a better one."""
        moves = self._moves(current.point)
        order = self._generator.permutation(moves.up.size)
        for first in range(0, order.size, _BATCH):
            judged = self._judged(moves[order[first : first + _BATCH]].apply(current.point))
            found = candidate(judged, int(judged.ranking()[0]))
            if found.better_than(current):
                return found
            if stop():
                return None
        return None

    def _judged(self, points: FloatArray) -> Evaluated:
        """Return the points evaluated; where columns are left over, only the most promising, completed."""
        evaluated = self._evaluator.evaluate(points)
        if not self._evaluator.rest.size:
            return evaluated
        promising = evaluated.ranking(firm=True)[:_COMPLETED]
        completed = [self._complete(point) for point in evaluated.points[promising]]
        whole = [point for point in completed if point is not None]
        return self._evaluator.evaluate(np.stack(whole)) if whole else evaluated

    def _moves(self, point: FloatArray) -> _Moves:
        """Return the moves that break no row of decisions, or break them less than they are now."""
        moves = self._sampled_moves(point)
        activity = self._matrix @ point
        now = self._excess(activity[:, None])[0]
        allowed = max(now * (1.0 - 1e-9), TOLERANCE) if now > TOLERANCE else TOLERANCE
        kept = np.zeros(moves.up.size, dtype=bool)
        for first in range(0, kept.size, 4 * _BATCH):
            part = slice(first, first + 4 * _BATCH)
            after = activity[:, None] + self._column_sums(moves.up[part]) - self._column_sums(moves.down[part])
            kept[part] = self._excess(after) <= allowed
        return moves[np.flatnonzero(kept)]

    def _sampled_moves(self, point: FloatArray) -> _Moves:
        model, values = self._evaluator.problem.linear, point[self._integers]
        ups = self._integers[values + 1.0 <= model.column_upper[self._integers]]
        downs = self._integers[values - 1.0 >= model.column_lower[self._integers]]
        nothing = np.array([-1])
        ups, downs = np.concatenate([nothing, ups]), np.concatenate([nothing, downs])
        count = ups.size * downs.size
        chosen = np.arange(count)
        if count > _MOST_MOVES:
            chosen = np.unique(self._generator.integers(count, size=_MOST_MOVES))
        up, down = ups[chosen // downs.size], downs[chosen % downs.size]
        real = up != down  # neither nothing at all nor back and forth
        return _Moves(up[real], down[real])

    def _column_sums(self, columns: IntArray) -> FloatArray:
        """Return the columns of the matrix, zero for -1: (rows, columns)."""
        dense = self._matrix[:, np.maximum(columns, 0)].toarray()
        dense[:, columns < 0] = 0.0
        return np.asarray(dense)

    def _excess(self, activity: FloatArray) -> FloatArray:
        below, above = self._lower[:, None] - activity, activity - self._upper[:, None]
        return np.asarray(np.maximum(below, above).max(axis=0, initial=0.0))
