"""The native engine as a `NetworkSolver`: maximises one objective, with a bound and points at any time."""

from __future__ import annotations

from dataclasses import dataclass

from netopt.engines.attempt import Attempt, AttemptWatch
from netopt.engines.branch_and_bound.lanes import Lanes
from netopt.engines.branch_and_bound.scout import Scout
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.branch_and_bound.team import Team
from netopt.engines.engine import EngineResult, Maximization
from netopt.solvers.result import Termination

#: Name in results.
NATIVE = "native"


@dataclass(frozen=True, slots=True)
class NativeEngine:
    """Maximises by branch and bound over boxes, regions and ReLU phases, without a MILP solver.

    Bounds are rounded outward: they hold without tolerance. Points passed to `on_point` are members of the domain with
    their value of the objective on the network itself.

    Parameters
    ----------
    memory : bytes that open parts may take; None for no limit.
    team : processes that take part, None for none.
    device : see `Problem`.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.compute import compute_bounds
    >>> from netopt.engines.branch_and_bound.engine import NativeEngine
    >>> from netopt.engines.engine import Maximization
    >>> from netopt.engines.objective import SlackObjective
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])  # |x|
    >>> box = Box(np.array([-1.0]), np.array([0.5]))
    >>> objective, bounds = SlackObjective.linear(np.ones(1)), compute_bounds(network, box)
    >>> answer = NativeEngine().maximize(Maximization(network, box, objective, bounds))
    >>> round(answer.dual_bound, 3), answer.termination.value
    (1.0, 'optimal')
    """

    memory: float | None = None
    team: Team | None = None
    device: str | None = None

    @property
    def name(self) -> str:
        """Name in results."""
        return NATIVE

    def maximize(self, problem: Maximization) -> EngineResult:
        """See `netopt.engines.engine.NetworkSolver`.

        `EngineResult.name` tells which search the bound rests on. ``NODE_LIMIT`` also stands for searches that have
        split all they can.
        """
        attempt = Attempt(problem)
        if problem.start is not None:
            attempt.seen(problem.start[None])
        whole = Problem(problem.network, problem.domain, problem.bounds, (problem.objective,), device=self.device)
        scout = Scout(whole, lambda _, point: attempt.seen(point[None]), attempt.stopped)
        lanes = Lanes(whole, AttemptWatch(attempt, scout.seen), self.memory, self.team, lambda: _note(attempt, lanes))
        lanes.advance(attempt.deadline, problem.parameters.node_limit)
        return attempt.result(attempt.ended() or _limit(attempt, lanes), lanes.method[0] or NATIVE)


def _note(attempt: Attempt, lanes: Lanes) -> None:
    """Take note of what is proven by now."""
    attempt.nodes = lanes.bounded
    attempt.proved(float(lanes.upper[0]))


def _limit(attempt: Attempt, lanes: Lanes) -> Termination:
    """Return which limit ended a search that has not proved what it should."""
    if attempt.remaining == 0.0:
        return Termination.TIME_LIMIT
    return Termination.MEMORY_LIMIT if lanes.out_of_memory else Termination.NODE_LIMIT
