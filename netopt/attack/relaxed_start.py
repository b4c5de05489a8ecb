"""Starts from bounds: where linear functions above the objective's rows are largest.

The functions are CROWN's with their slopes optimised. They see the whole domain at once, and so lead to basins that
gradients at single points miss; the points met on the way are spread around the point of the triangle relaxation's
linear program, which takes a simplex many times longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.attack.objective import SlackBatch
from netopt.attack.stopping import stopping
from netopt.bounds.crown import crown_bounds
from netopt.bounds.objectives import Objectives
from netopt.bounds.phases import PhaseBounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.rounding import UNIT_ROUNDOFF
from netopt.bounds.rows import upper_functions
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.integer import continuous
from netopt.specification.l1_ball import L1Ball

#: Steps of the slopes, and where each of them solves a program.
_STEPS, _FEW_STEPS = 60, 4
#: Most rows whose slopes are optimised, those with the highest bounds first.
_MOST_ROWS = 16
#: Best points kept for each disjunct.
_KEPT = 16
#: Weight of the newest maximiser in the average of them, which approaches the linear program's point.
_NEWEST = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class RelaxedStarts:
    """Members of the domain that bounds lead to, the best of each disjunct first.

    Attributes
    ----------
    points : (k, n).
    target : (k,) disjunct of each.
    values : (k,) its t there.
    bound : (rows,) sound upper bounds of the objective's rows.
    """

    points: FloatArray
    target: IntArray
    values: FloatArray
    bound: FloatArray


def relaxed_starts(
    network: Network,
    domain: Domain,
    objective: SlackBatch,
    deadline: float | None = None,
    *,
    bounds: PreactivationBounds | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> RelaxedStarts:
    """Return the best members met while the slopes are optimised.

    Parameters
    ----------
    deadline : value of `time.monotonic` at which CROWN goes on with interval bounds, and the slopes stay.
    bounds : pre-activation bounds of this network over this domain; None for CROWN's.
    stopped : asked at every step.
    """
    over = stopping(deadline, stopped=stopped)
    known = crown_bounds(network, domain, deadline=deadline) if bounds is None else bounds
    rows = None if objective.input_matrix is None else -objective.input_matrix
    above = upper_functions(network, domain, known, -objective.output_matrix, rows)
    met = _Met(network, objective)
    met.note(domain.maximizer(above.coefficients), objective.owner)
    bound = above.bound
    chosen = np.argsort(-(bound + objective.bound), kind="stable")[:_MOST_ROWS]
    average = _Average(met, objective.owner[chosen])
    if known.unstable_count and not over():
        single = Objectives.separate(-objective.output_matrix[chosen], None if rows is None else rows[chosen])
        search = PhaseBounds(network, domain, known, single)
        steps = _STEPS if isinstance(continuous(domain), Box | L1Ball) else _FEW_STEPS
        never = np.full(chosen.size, -np.inf)
        found = search.bound(search.whole(), steps, never, over, lambda points: average.note(domain.project(points)))
        bound[chosen] = np.fmin(bound[chosen], found.upper)
        met.note(domain.project(average.point), average.target)
    total = bound + objective.bound
    return met.result(total + 2.0 * UNIT_ROUNDOFF * (np.abs(bound) + np.abs(objective.bound)))


@dataclass(slots=True, eq=False)
class _Met:
    """The best points met for each disjunct."""

    network: Network
    objective: SlackBatch
    points: FloatArray = field(init=False)
    target: IntArray = field(init=False)
    values: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.points = np.empty((0, self.network.input_size))
        self.target, self.values = np.empty(0, dtype=np.int64), np.empty(0)

    def note(self, points: FloatArray, target: IntArray) -> None:
        """Take note of points (k, n) and of the disjunct (k,) each is meant for."""
        own = self.objective.values(self.network, points)[np.arange(len(points)), target]
        target, values = np.concatenate([self.target, target]), np.concatenate([self.values, own])
        order = np.lexsort((-values, target))
        same = np.r_[False, (np.diff(target[order]) == 0) & (np.diff(values[order]) == 0.0)]
        order = order[~same]
        rank = np.arange(order.size) - np.searchsorted(target[order], target[order])
        order = order[rank < _KEPT]
        if (order < self.values.size).all() and order.size == self.values.size:
            return  # none is good enough: spares the copy
        self.points = np.concatenate([self.points, points])[order]
        self.target, self.values = target[order], values[order]

    def result(self, bound: FloatArray) -> RelaxedStarts:
        return RelaxedStarts(self.points, self.target, self.values, bound)


@dataclass(slots=True, eq=False)
class _Average:
    """Passes maximisers on and averages them, row by row."""

    met: _Met
    target: IntArray
    point: FloatArray = field(init=False)
    _begun: bool = False

    def note(self, points: FloatArray) -> None:
        self.point = (1.0 - _NEWEST) * self.point + _NEWEST * points if self._begun else points.copy()
        self._begun = True
        self.met.note(points, self.target)
