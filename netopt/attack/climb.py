"""Plain climbs of whole batches: one gradient a step, steps of a fixed schedule, in float32 where that serves.

In a box a step goes along the gradient's signs; in other domains towards the member that maximises the gradient
(Frank and Wolfe 1956), so that no projection is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.attack.objective import SlackBatch
from netopt.network.network import Network
from netopt.network.single import SINGLE, single_precision
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.integer import continuous

#: float32 resolves inputs this much coarser than their range, relative to their size.
_RESOLUTION = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Climber:
    """What climbs on one network, domain and objective share.

    Attributes
    ----------
    network, objective : in single precision where `kind` is float32.
    domain : continuous; of integer points, their base.
    members : the domain itself, whose members are evaluated.
    kind : dtype of the points.
    low, high : (n,) corners of the domain's box, of that dtype.
    """

    network: Network
    objective: SlackBatch
    domain: Domain
    members: Domain
    kind: Any
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, network: Network, domain: Domain, objective: SlackBatch) -> Climber:
        """Return the climber; single precision is used where the box is wide enough and the weights fit."""
        base = continuous(domain)
        width, size = base.upper - base.lower, np.maximum(np.abs(base.lower), np.abs(base.upper))
        coarse = bool(((width == 0.0) | (width > _RESOLUTION * size)).all() and size.max(initial=0.0) < 1e6)
        single = single_precision(network) if coarse else None
        if single is None:
            return cls(network, objective, base, domain, np.float64, base.lower, base.upper)
        low, high = base.lower.astype(SINGLE), base.upper.astype(SINGLE)
        return cls(single, objective.single(), base, domain, SINGLE, low, high)

    def climb(
        self,
        start: FloatArray,
        target: IntArray,
        spread: FloatArray,
        steps: FloatArray,
        stopped: Callable[[], bool],
    ) -> tuple[FloatArray, FloatArray]:
        """Climb from members of the domain and return the best points seen on each way, and their t in `kind`.

        Parameters
        ----------
        start : (batch, n).
        target, spread : (batch,) as in `SlackBatch.ascent`.
        steps : (k,) lengths relative to the domain's width.
        stopped : asked at every step.
        """
        x = start.astype(self.kind)
        spread = spread.astype(self.kind)
        rows = np.arange(len(x))
        top, top_x = np.full(len(x), -np.inf, dtype=self.kind), x.copy()
        width = self.high - self.low
        for step in [*steps.tolist(), 0.0]:
            member = self._member(x)
            values, gradient = self.objective.ascent(self.network, member, target, spread)
            value = values[rows, target]
            better = value > top
            top[better], top_x[better] = value[better], member[better]
            if stopped() or step == 0.0:
                break
            x = self._moved(x, gradient, width, step)
        return top_x, top

    def _member(self, x: FloatArray) -> FloatArray:
        if self.members is self.domain:
            return x
        return self.members.project(x.astype(np.float64)).astype(self.kind, copy=False)

    def _moved(self, x: FloatArray, gradient: FloatArray, width: FloatArray, step: float) -> FloatArray:
        if isinstance(self.domain, Box):
            move = np.sign(gradient, out=gradient)
            move *= width * self.kind(step)
            move += x
            return np.clip(move, self.low, self.high, out=move)
        vertex = self.domain.maximizer(gradient.astype(np.float64)).astype(self.kind, copy=False)
        vertex -= x
        vertex *= self.kind(step)
        vertex += x
        return vertex
