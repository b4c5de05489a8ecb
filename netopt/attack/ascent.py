"""Projected gradient ascent on a batch of points, with momentum and step sizes that halve where progress stalls.

The step rule is that of Auto-PGD (Croce and Hein, ICML 2020, "Reliable evaluation of adversarial robustness with an
ensemble of diverse parameter-free attacks", algorithm 1), for each point on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.attack.objective import SlackBatch
from netopt.network.network import Network
from netopt.specification.domain import Domain
from netopt.specification.integer import continuous

_MOMENTUM = 0.75


class Direction(IntEnum):
    """How a point steps, given the gradient."""

    SIGNS = 0  # along its signs, which is steepest in a box's own norm
    GRADIENT = 1  # along the gradient itself
    VERTEX = 2  # towards the domain's maximiser of the gradient (Frank-Wolfe)


#: A checkpoint halves a step that improved in less than this share of the iterations since the last one.
_SUCCESS_SHARE = 0.75


@dataclass(slots=True, eq=False)
class Best:
    """The best point seen for each disjunct.

    Attributes
    ----------
    values : (disjuncts,) largest t seen, -inf before the first.
    points : (disjuncts, n).
    """

    values: FloatArray
    points: FloatArray

    @classmethod
    def empty(cls, disjuncts: int, dimension: int) -> Best:
        """Return the state before anything is seen."""
        return cls(np.full(disjuncts, -np.inf), np.zeros((disjuncts, dimension)))

    def update(self, points: FloatArray, values: FloatArray) -> None:
        """Take note of a batch: (batch, n) and (batch, disjuncts)."""
        k = values.argmax(axis=0)
        top = values[k, np.arange(k.size)]
        better = top > self.values
        self.values[better] = top[better]
        self.points[better] = points[k[better]]

    def merge(self, other: Best) -> None:
        """Take the better point of each disjunct."""
        better = other.values > self.values
        self.values[better], self.points[better] = other.values[better], other.points[better]


@dataclass(slots=True, eq=False)
class Ascent:
    """One batch of restarts.

    Attributes
    ----------
    start : (batch, n) members of the domain.
    target : (batch,) disjunct each point climbs.
    spread : (batch,) see `SlackBatch.ascent`.
    direction : (batch,) `Direction` each point steps along.
    step : (batch,) first step, as a share of the domain's width.
    """

    network: Network
    domain: Domain
    objective: SlackBatch
    start: FloatArray
    target: IntArray
    spread: FloatArray
    direction: IntArray
    step: FloatArray
    _half_width: FloatArray = field(init=False)
    _walk: Domain = field(init=False)

    def __post_init__(self) -> None:
        self._half_width = (self.domain.upper - self.domain.lower) / 2.0
        # Integer inputs are walked in their continuous base, so that small steps add up; only members are evaluated.
        self._walk = continuous(self.domain)

    def run(self, iterations: int, best: Best, stopped: Callable[[], bool]) -> None:
        """Climb for some iterations, or until `stopped`; `best` takes note of every point evaluated."""
        x, previous = self.start.copy(), self.start.copy()
        row = np.arange(x.shape[0])
        step = self.step.copy()
        top, top_x, top_gradient = np.full(row.size, -np.inf), x.copy(), np.zeros(x.shape)
        checkpoints = _checkpoints(iterations)
        improved, last_checkpoint = np.zeros(row.size), 0
        halved, top_before = np.ones(row.size, dtype=bool), top.copy()
        value_before = top
        for k in range(iterations):
            member = x if self._walk is self.domain else self.domain.project(x)
            values, gradient = self.objective.ascent(self.network, member, self.target, self.spread)
            best.update(member, values)
            if stopped():
                return
            value = values[row, self.target]
            improved += value > value_before
            better = value > top
            top, top_x[better], top_gradient[better] = np.where(better, value, top), x[better], gradient[better]
            value_before = value
            if k in checkpoints:
                stalled = improved < _SUCCESS_SHARE * (k - last_checkpoint)
                stalled |= ~halved & (top <= top_before)
                step = np.where(stalled, step / 2.0, step)
                x, gradient = np.where(stalled[:, None], top_x, x), np.where(stalled[:, None], top_gradient, gradient)
                previous = np.where(stalled[:, None], x, previous)
                halved, top_before, last_checkpoint = stalled, top.copy(), k
                improved[:] = 0.0
            moved = self._moved(x, gradient, step)
            share = 1.0 if k == 0 else _MOMENTUM
            x, previous = self._walk.project(x + share * (moved - x) + (1.0 - share) * (x - previous)), x

    def _moved(self, x: FloatArray, gradient: FloatArray, step: FloatArray) -> FloatArray:
        """Return each point one step on, inside the domain."""
        scaled = gradient * self._half_width
        size = np.abs(scaled).max(axis=1, keepdims=True)
        along = 2.0 * self._half_width * scaled / np.where(size > 0.0, size, 1.0)
        moved = x + step[:, None] * along
        signs = x + 2.0 * step[:, None] * self._half_width * np.sign(gradient)
        moved = np.where((self.direction == Direction.SIGNS)[:, None], signs, moved)
        towards = np.flatnonzero(self.direction == Direction.VERTEX)
        if towards.size:
            vertices = self._walk.maximizer(gradient[towards])
            moved[towards] = x[towards] + np.minimum(step[towards], 1.0)[:, None] * (vertices - x[towards])
        return self._walk.project(moved)


def _checkpoints(iterations: int) -> frozenset[int]:
    """Return the iterations at which step sizes are reviewed: gaps of 22 %, then shorter by 3 % down to 6 %."""
    share, gap, marks = 0.22, 0.22, []
    while share < 1.0:
        marks.append(int(np.ceil(share * iterations)))
        gap = max(gap - 0.03, 0.06)
        share += gap
    return frozenset(marks)
