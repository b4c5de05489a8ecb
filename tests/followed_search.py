"""What tests of searches share: watches, and problems with CROWN's bounds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from netopt.bounds.crown import crown_bounds
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.specification.domain import Domain

#: The largest bound that proves an objective negative.
BELOW_ZERO = float(np.nextafter(0.0, -1.0))


@dataclass(slots=True, eq=False)
class Aims:
    """A watch that asks for given bounds (d,), and keeps what it is shown."""

    bounds: np.ndarray
    stop: bool = False
    shown: list[tuple[int, np.ndarray]] = field(default_factory=list)

    def enough(self) -> np.ndarray:
        return self.bounds

    def stopped(self) -> bool:
        return self.stop

    def seen(self, objective: int, points: np.ndarray) -> None:
        assert 0 <= objective < self.bounds.size
        self.shown.append((objective, points))

    @property
    def points(self) -> np.ndarray:
        """All points shown."""
        return np.concatenate([points for _, points in self.shown])


class Follower:
    """A watch that replays points; `gap` is None to prove objectives negative, else what a maximum may miss."""

    def __init__(self, problem: Problem, gap: float | None) -> None:
        self.problem, self.gap = problem, gap
        self.best = np.full(len(problem.objectives), -np.inf)

    def enough(self) -> np.ndarray:
        return np.full(self.best.size, BELOW_ZERO) if self.gap is None else self.best + self.gap

    def stopped(self) -> bool:
        return False

    def seen(self, objective: int, points: np.ndarray) -> None:
        assert self.problem.domain.contains(points).all()
        values = self.problem.objectives[objective].value(points, self.problem.network.forward(points))
        self.best[objective] = max(self.best[objective], values.max())


def problem_of(network: Network, domain: Domain, objectives: list[SlackObjective]) -> Problem:
    """Return a problem with CROWN's bounds."""
    return Problem(network, domain, crown_bounds(network, domain), tuple(objectives))
