"""The best point known on the dense network, as everything that looks for a better one sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from netopt.arrays import FloatArray
from netopt.attack.objective import SlackBatch
from netopt.bounds.preactivation import PreactivationBounds
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.problems.bracket import Bracket
from netopt.problems.goal import Goal
from netopt.problems.hunting import Hunt
from netopt.specification.domain import Domain


class DenseIncumbent(Protocol):
    """One objective on the dense network and the best point replayed for it. Any thread may offer."""

    @property
    def network(self) -> Network:
        """The dense network."""

    @property
    def domain(self) -> Domain:
        """What the inputs may be."""

    @property
    def objective(self) -> SlackObjective:
        """What is maximised."""

    @property
    def bounds(self) -> PreactivationBounds:
        """Pre-activation bounds of the dense network over the domain, computed when first asked for."""

    @property
    def sign(self) -> float:
        """-1 where the caller minimises, else 1: times a value, it is in the caller's sense."""

    @property
    def label(self) -> Mapping[str, int]:
        """What a stage's record says of the objective."""

    @property
    def value(self) -> float:
        """Largest value replayed in float64; -inf before the first."""

    @property
    def point(self) -> FloatArray | None:
        """(n,) where it is attained; None before the first."""

    def report(self) -> None:
        """Tell the caller how things stand."""

    def offer(self, points: FloatArray, origin: str) -> bool:
        """Replay points (k, n) and keep the best if it improves; return whether it did.

        Parameters
        ----------
        origin : where the points come from, for the result.
        """


@dataclass(frozen=True, slots=True)
class MaximumIncumbent:
    """The incumbent of `maximize`.

    Attributes
    ----------
    bracket : keeps it.
    sign : -1 where the caller minimises, else 1.
    compute_bounds : returns the dense network's bounds.
    improved : called after each improvement, and when a new stage begins.
    """

    bracket: Bracket
    sign: float
    compute_bounds: Callable[[], PreactivationBounds]
    improved: Callable[[], None]

    @property
    def network(self) -> Network:
        return self.bracket.network

    @property
    def domain(self) -> Domain:
        return self.bracket.domain

    @property
    def objective(self) -> SlackObjective:
        return self.bracket.objective

    @property
    def bounds(self) -> PreactivationBounds:
        return self.compute_bounds()

    @property
    def label(self) -> Mapping[str, int]:
        return {}

    @property
    def value(self) -> float:
        return self.bracket.primal

    @property
    def point(self) -> FloatArray | None:
        return self.bracket.point

    def report(self) -> None:
        self.improved()

    def offer(self, points: FloatArray, origin: str) -> bool:
        better = self.bracket.offer(points, origin)
        if better:
            self.improved()
        return better


@dataclass(frozen=True, slots=True)
class GoalIncumbent:
    """The incumbent of one disjunct of `verify`; a witness halts the run.

    Attributes
    ----------
    goal : keeps it.
    hunt : judges the points.
    compute_bounds : returns the dense network's bounds over a goal's domain.
    improved : called after each improvement, and when a new stage begins.
    """

    goal: Goal
    hunt: Hunt
    compute_bounds: Callable[[Goal], PreactivationBounds]
    improved: Callable[[], None]

    @property
    def network(self) -> Network:
        return self.hunt.replayer.network

    @property
    def domain(self) -> Domain:
        return self.goal.domain

    @property
    def objective(self) -> SlackObjective:
        return self.goal.objective

    @property
    def bounds(self) -> PreactivationBounds:
        return self.compute_bounds(self.goal)

    @property
    def sign(self) -> float:
        return 1.0

    @property
    def label(self) -> Mapping[str, int]:
        return {"case": self.goal.case, "disjunct": self.goal.disjunct}

    @property
    def value(self) -> float:
        return self.goal.best

    @property
    def point(self) -> FloatArray | None:
        return self.goal.best_point

    def report(self) -> None:
        self.improved()

    def offer(self, points: FloatArray, origin: str) -> bool:
        before = self.goal.best
        self.hunt.offer(self.goal, self.goal.domain.project(points), origin)
        better = self.goal.best > before
        if better:
            self.improved()
        return better


def dense_value(incumbent: DenseIncumbent, point: FloatArray) -> float:
    """Return the dense objective at a point (n,), as it is; `offer` puts it back into the domain first."""
    return float(incumbent.objective.value(point[None], incumbent.network.forward(point[None]))[0])


def slack_batch(objectives: Sequence[SlackObjective]) -> SlackBatch:
    """Return objectives as the attacks take them: a disjunct each, its rows divided by their norms."""
    return SlackBatch.divided(
        [objective.conjunction for objective in objectives],
        np.concatenate([objective.norm for objective in objectives]),
    )
