"""The relaxed engine: relaxations of a network whose bounds hold for it, refined until they suffice, then the network.

A ladder of rungs (`netopt.engines.relaxed_rungs`). Each is sound by itself, so the smallest bound so far is always the
answer, and the ladder ends as soon as it suffices. The last rung is the dense MILP, so that given time the answer is
exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from formulations.formulation import Formulation
from netopt.engines.engine import EngineResult, Maximization
from netopt.engines.milp import MilpEngine
from netopt.engines.relaxed_climb import Climb
from netopt.engines.relaxed_rungs import Lines, Rung, Slack
from netopt.solvers.solver import MilpSolver


@dataclass(frozen=True, slots=True)
class RelaxedEngine:
    """Maximises over relaxations of a network, then over the network.

    A drop-in for `netopt.engines.milp.MilpEngine`: ``RelaxedEngine(solver, formulation)`` for ``"relaxed"``,
    ``RelaxedEngine.at_rate(solver, formulation, 0.3)`` for ``"relaxed:0.3"``. Points passed to `on_point` are members
    of the domain found by relaxations: replay them.

    Parameters
    ----------
    solver, formulation : as for `MilpEngine`.
    rungs : before the dense model, in this order.

    Examples
    --------
    >>> import numpy as np
    >>> from formulations.big_m import BigM
    >>> from netopt.bounds.compute import compute_bounds
    >>> from netopt.engines.engine import Maximization
    >>> from netopt.engines.objective import SlackObjective
    >>> from netopt.engines.relaxed import RelaxedEngine
    >>> from netopt.network.build import from_weights
    >>> from netopt.solvers.highs import Highs
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])  # |x|
    >>> box = Box(np.array([-1.0]), np.array([0.5]))
    >>> objective, bounds = SlackObjective.linear(np.ones(1)), compute_bounds(network, box)
    >>> answer = RelaxedEngine(Highs(), BigM()).maximize(Maximization(network, box, objective, bounds))
    >>> round(answer.dual_bound, 6)
    1.0
    """

    solver: MilpSolver
    formulation: Formulation
    rungs: tuple[Rung, ...] = (Lines(),)

    @classmethod
    def at_rate(cls, solver: MilpSolver, formulation: Formulation, rate: float) -> RelaxedEngine:
        """Return the engine with a sparse model before the dense one: a share of its weights is slack.

        Raises
        ------
        InvalidOptionError
            The rate is not in [0, 1).
        """
        return cls(solver, formulation, (Lines(), Slack(rate)))

    @property
    def name(self) -> str:
        """The solver's name."""
        return self.solver.name

    def maximize(self, problem: Maximization) -> EngineResult:
        """See `netopt.engines.engine.NetworkSolver`.

        `EngineResult.termination` is that of the rung that ended the call; ``OPTIMAL`` where a relaxed rung proves a
        point optimal.

        Raises
        ------
        SolverUnavailableError, UnsupportedModelError, InvalidOptionError
            The solver cannot take the model or an option.
        formulations.errors.FormulationError
            The formulation cannot write a layer.
        """
        climb = Climb(problem, solver=self.solver, formulation=self.formulation)
        if problem.start is not None:
            climb.seen(problem.start[None])
        for rung in self.rungs:
            name = rung.climb(climb)
            ended = climb.ended()
            if ended is not None:
                return climb.result(ended, name)
        answer = MilpEngine(self.solver, self.formulation).maximize(
            replace(
                problem,
                parameters=climb.left(climb.remaining),
                start=None if problem.start is None else climb.point,
                on_point=lambda point: climb.seen(point[None]),
                on_bound=climb.proved,
            )
        )
        return replace(
            answer,
            dual_bound=min(climb.dual, answer.dual_bound),
            nodes=climb.nodes + answer.nodes,
            seconds=climb.spent,
        )
