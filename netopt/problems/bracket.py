"""The optimum between its two bounds: the best replayed point below, what is proven above."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np

from netopt.arrays import FloatArray
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.problems.goal import CONSISTENCY
from netopt.problems.results import ABSOLUTE_GAP
from netopt.specification.domain import Domain

#: A member may miss the domain's linear rows by this much: what projecting onto them leaves.
MEMBERSHIP = 1e-9


@dataclass(slots=True, eq=False)
class Bracket:
    """What is known of the maximum of a linear function of the outputs. Any thread may add to it.

    Attributes
    ----------
    network, domain, objective : the problem.
    gap : relative gap at which it counts as closed, beside the absolute one.
    primal, point : largest value replayed in float64, and its input; -inf and None before the first.
    origin : where that input comes from.
    dual : proven upper bound.
    proved_by : what `dual` comes from.
    contradiction : what went wrong where a claim contradicts a replayed point, else empty.
    lock : held while anything above changes.
    """

    network: Network
    domain: Domain
    objective: SlackObjective
    gap: float
    primal: float = -np.inf
    point: FloatArray | None = None
    origin: str = ""
    dual: float = np.inf
    proved_by: str = ""
    contradiction: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def closed(self) -> bool:
        """Whether primal and dual bound agree: ``dual - primal <= max(1e-6, gap |primal|)``."""
        if self.point is None:
            return False
        return self.dual - self.primal <= max(ABSOLUTE_GAP, self.gap * abs(self.primal))

    def offer(self, points: FloatArray, origin: str) -> bool:
        """Replay points (k, n), put back into the domain first; return whether the best improved.

        Parameters
        ----------
        origin : where the points come from, for the result.
        """
        members = self.domain.project(points)
        members = members[self.domain.contains(members, MEMBERSHIP)]
        if not members.size:
            return False
        value = self.objective.value(members, self.network.forward(members))
        k = int(np.argmax(value))
        with self.lock:
            if not value[k] > self.primal:
                return False
            self.primal, self.point, self.origin = float(value[k]), members[k], origin
        return True

    def proved(self, dual: float, method: str) -> bool:
        """Note a proven upper bound; return whether it improved.

        A bound below the replayed value by no more than tolerances explain is the replayed value; one further below is
        a contradiction and is not used.
        """
        with self.lock:
            if not dual < self.dual:
                return False
            if dual < self.primal - CONSISTENCY * (1.0 + abs(self.primal)):
                self.contradiction = f"{method} claims at most {dual:.9g}, but {self.primal:.9g} was replayed"
                return False
            self.dual, self.proved_by = max(dual, self.primal), method
        return True
