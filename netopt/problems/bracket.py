"""The optimum between its two bounds: the best replayed point below, what is proven above."""

from __future__ import annotations

from dataclasses import dataclass

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
    """What is known of the maximum of a linear function of the outputs.

    Attributes
    ----------
    network, domain, objective : the problem.
    gap : relative gap at which it counts as closed, beside the absolute one.
    primal, point : largest value replayed in float64, and its input; -inf and None before the first.
    dual : proven upper bound.
    proved_by : what `dual` comes from.
    contradiction : what went wrong where a claim contradicts a replayed point, else empty.
    """

    network: Network
    domain: Domain
    objective: SlackObjective
    gap: float
    primal: float = -np.inf
    point: FloatArray | None = None
    dual: float = np.inf
    proved_by: str = ""
    contradiction: str = ""

    @property
    def closed(self) -> bool:
        """Whether primal and dual bound agree: ``dual - primal <= max(1e-6, gap |primal|)``."""
        if self.point is None:
            return False
        return self.dual - self.primal <= max(ABSOLUTE_GAP, self.gap * abs(self.primal))

    def offer(self, points: FloatArray) -> bool:
        """Replay points (k, n), put back into the domain first; return whether the best improved."""
        members = self.domain.project(points)
        members = members[self.domain.contains(members, MEMBERSHIP)]
        if not members.size:
            return False
        value = self.objective.value(members, self.network.forward(members))
        k = int(np.argmax(value))
        if not value[k] > self.primal:
            return False
        self.primal, self.point = float(value[k]), members[k]
        return True

    def proved(self, dual: float, method: str) -> bool:
        """Note a proven upper bound; return whether it improved.

        A bound below the replayed value by no more than tolerances explain is the replayed value; one further below is
        a contradiction and is not used.
        """
        if not dual < self.dual:
            return False
        if dual < self.primal - CONSISTENCY * (1.0 + abs(self.primal)):
            self.contradiction = f"{method} claims at most {dual:.9g}, but {self.primal:.9g} was replayed"
            return False
        self.dual, self.proved_by = max(dual, self.primal), method
        return True
