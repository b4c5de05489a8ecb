"""What is known while an engine works: bound, best point, what is left of the caller's limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from netopt.arrays import FloatArray
from netopt.engines.engine import EngineResult, Maximization
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination


@dataclass(slots=True, eq=False)
class Attempt:
    """One call of `netopt.engines.engine.NetworkSolver.maximize`.

    Attributes
    ----------
    problem : what is asked.
    dual : smallest bound proved so far.
    point, value : the best member of the domain seen so far, and the objective there on the network.
    nodes : of the searches so far.
    """

    problem: Maximization
    dual: float = field(default=np.inf, kw_only=True)
    point: FloatArray | None = field(default=None, kw_only=True)
    value: float = field(default=-np.inf, kw_only=True)
    nodes: int = field(default=0, kw_only=True)
    _begun: float = field(default_factory=time.monotonic, kw_only=True)

    @property
    def spent(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self._begun

    @property
    def remaining(self) -> float | None:
        """Seconds left, None without a limit."""
        limit = self.problem.parameters.time_limit
        return None if limit is None else max(0.0, limit - self.spent)

    @property
    def deadline(self) -> float | None:
        """Value of `time.monotonic` at which the call has to end, None without a limit."""
        limit = self.problem.parameters.time_limit
        return None if limit is None else self._begun + limit

    def portion(self, share: float, most: float) -> float:
        """Return a share of the seconds left, at most `most`."""
        left = self.remaining
        return most if left is None else min(most, share * left)

    @property
    def enough(self) -> float:
        """The bound at which nothing is left to prove: the caller's limit, or the best point's value."""
        limit = -np.inf if self.problem.parameters.bound_limit is None else self.problem.parameters.bound_limit
        return max(limit, self.value + self._gap)

    @property
    def _gap(self) -> float:
        if self.point is None:
            return 0.0
        return max(self.problem.parameters.absolute_gap, self.problem.parameters.relative_gap * abs(self.value))

    def stopped(self) -> bool:
        """Return whether the call has to end, or has a point that is good enough."""
        if (self.problem.interrupt is not None and self.problem.interrupt.is_set()) or self.remaining == 0.0:
            return True
        return self._aimed

    @property
    def _aimed(self) -> bool:
        aim = self.problem.parameters.objective_limit
        return aim is not None and self.value >= aim

    def left(self, seconds: float | None) -> SolverParameters:
        """Return the caller's parameters with `seconds` and what is left of the nodes."""
        limit = self.problem.parameters.node_limit
        nodes = None if limit is None else max(limit - self.nodes, 0)
        return replace(self.problem.parameters, time_limit=seconds, node_limit=nodes)

    def proved(self, bound: float) -> None:
        """Note a bound."""
        if bound < self.dual:
            self.dual = bound
            if self.problem.on_bound is not None:
                self.problem.on_bound(bound)

    def seen(self, points: FloatArray) -> None:
        """Note members of the domain (k, n); tell the caller of the best, where it is the best so far."""
        values = self.problem.objective.value(points, self.problem.network.forward(points))
        best = int(np.argmax(values))
        if values[best] > self.value:
            self.point, self.value = points[best], float(values[best])
            if self.problem.on_point is not None:
                self.problem.on_point(self.point)

    def ended(self) -> Termination | None:
        """Return why the call is over, None if it is not."""
        if self.point is not None and self.dual <= self.value + self._gap:
            return Termination.OPTIMAL
        if self.dual <= self.enough:
            return Termination.BOUND_LIMIT
        if self._aimed:
            return Termination.OBJECTIVE_LIMIT
        if self.problem.interrupt is not None and self.problem.interrupt.is_set():
            return Termination.INTERRUPTED
        return None

    def result(self, termination: Termination, name: str) -> EngineResult:
        """Return the answer as it stands."""
        return EngineResult(
            termination=termination,
            dual_bound=max(self.dual, self.value),
            primal_bound=None if self.point is None else self.value,
            point=self.point,
            seconds=self.spent,
            nodes=self.nodes,
            name=name,
        )


@dataclass(frozen=True, slots=True)
class AttemptWatch:
    """What a search for the one objective of an attempt is told, a `netopt.engines.branch_and_bound.search.Watch`.

    Attributes
    ----------
    show : called with the position of the objective and members (k, n) of the domain.
    """

    attempt: Attempt
    show: Callable[[int, FloatArray], None]

    def enough(self) -> FloatArray:
        return np.array([self.attempt.enough])

    def stopped(self) -> bool:
        return self.attempt.stopped()

    def seen(self, objective: int, points: FloatArray) -> None:
        self.show(objective, points)
