"""The rungs of the relaxed engine. Each bounds the objective on the network itself, by another relaxation of it.

`Lines` keeps all weights and relaxes every ReLU to two lines, then refines by splitting neurons; `Slack` and
`Transferred` keep a part of the weights and all ReLUs, and leave the sparse model to the MILP solver.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Protocol

from netopt.arrays import FloatArray
from netopt.engines.attempt import AttemptWatch
from netopt.engines.branch_and_bound.phase_split import PhaseSplit
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.milp import MilpEngine, solve_slack_model
from netopt.engines.relaxed_climb import Climb
from netopt.engines.relaxed_model import RelaxedModel
from netopt.engines.transfer import TransferEngine
from netopt.errors import InvalidOptionError
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball

#: Share of the time left, and most seconds, that splitting may take.
_LINES_SHARE, _LINES_SECONDS = 0.5, 120.0
#: The same for a sparse model: the dense one has to fit as well.
_SPARSE_SHARE, _SPARSE_SECONDS = 0.1, 5.0
#: Seconds between two bounds of splitting that the caller hears of.
_TELL = 0.25
#: Share of the slack weights that a refinement puts back.
_PUT_BACK = 0.7


class Rung(Protocol):
    """One relaxation."""

    def climb(self, climb: Climb) -> str:
        """Bound the objective, tell `climb` all bounds and points; return the name of the route."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Every ReLU two lines, split neuron by neuron (`netopt.engines.branch_and_bound.phase_split`).

    On domains other than boxes and L1 balls it does nothing, as it maximises thousands of linear functions there.
    """

    def climb(self, climb: Climb) -> str:
        """See `Rung`."""
        name, asked = "ReLU splitting", climb.problem
        if not isinstance(asked.domain, Box | L1Ball):
            return name
        limit, nodes = climb.left(None).node_limit, climb.nodes
        end = time.monotonic() + climb.portion(_LINES_SHARE, _LINES_SECONDS)
        problem = Problem(asked.network, asked.domain, asked.bounds, (asked.objective,))
        search = PhaseSplit(problem, AttemptWatch(climb, lambda _, points: climb.seen(points)))
        while not (search.finished or climb.stopped() or (limit is not None and search.bounded >= limit)):
            now = time.monotonic()
            if now >= end:
                break
            search.advance(min(end, now + _TELL), None if limit is None else limit - search.bounded)
            climb.nodes = nodes + search.bounded
            climb.proved(float(search.upper[0]))
        return name


@dataclass(frozen=True, slots=True)
class Slack:
    """A part of the weights replaced by slack (`netopt.engines.relaxed_model`), solved as a MILP.

    Parameters
    ----------
    rate : fraction of the weights of the layers next to the inputs that is slack, in [0, 1).
    deep : whether the layers behind lose the same fraction of theirs.
    refinements : further models; each puts back the rows furthest from the truth.
    ties : most rows that tie the slacks to each other.

    Raises
    ------
    InvalidOptionError
        The rate is not in [0, 1), or a count is negative.
    """

    rate: float
    deep: bool = False
    refinements: int = 0
    ties: int = 0

    def __post_init__(self) -> None:
        _check_rate(self.rate)
        for name, value in (("refinements", self.refinements), ("ties", self.ties)):
            if value < 0:
                raise InvalidOptionError(f"{name} is {value}; give 0 or more")

    def climb(self, climb: Climb) -> str:
        """See `Rung`."""
        asked, deep_rate = climb.problem, self.rate if self.deep else 0.0
        model: RelaxedModel | None = RelaxedModel.split(
            asked.network, asked.domain, asked.objective, asked.bounds, climb.formulation, self.rate, deep_rate
        )
        for _ in range(self.refinements + 1):
            if model is None or not model.weights or climb.stopped() or climb.ended() is not None:
                break
            model = self._solve(model, climb)
        return f"{climb.solver.name} on a relaxed model"

    def _solve(self, relaxed: RelaxedModel, climb: Climb) -> RelaxedModel | None:
        """Solve one relaxation; return the next."""
        seconds, begun = climb.portion(_SPARSE_SHARE, _SPARSE_SECONDS), time.monotonic()
        tied = relaxed.tie(self.ties, climb.stopped, begun + 0.5 * seconds)
        model = tied.build()
        last: list[FloatArray] = []

        def found(values: FloatArray) -> None:
            last[:] = [values]
            climb.seen(tied.point(model, values)[None])

        answer = solve_slack_model(
            climb.solver,
            model,
            climb.relaxed(seconds),
            begun=begun,
            on_point=found,
            on_bound=climb.proved,
            interrupt=climb.problem.interrupt,
        )
        climb.answered(answer)
        return tied.refined(model, last[0], _PUT_BACK) if last else None


@dataclass(frozen=True, slots=True)
class Transferred:
    """A pruned network with an objective that lies above the dense one (`netopt.engines.transfer`), solved as a MILP.

    Parameters
    ----------
    rate : fraction of the weights that is pruned, in [0, 1).

    Raises
    ------
    InvalidOptionError
        The rate is not in [0, 1).
    """

    rate: float

    def __post_init__(self) -> None:
        _check_rate(self.rate)

    def climb(self, climb: Climb) -> str:
        """See `Rung`."""
        engine = TransferEngine(MilpEngine(climb.solver, climb.formulation), rate=self.rate)
        answer = engine.maximize(
            replace(
                climb.problem,
                parameters=climb.relaxed(climb.portion(_SPARSE_SHARE, _SPARSE_SECONDS)),
                start=None,
                on_point=lambda point: climb.seen(point[None]),
                on_bound=climb.proved,
            )
        )
        climb.answered(answer)
        return answer.name


def _check_rate(rate: float) -> None:
    if not 0.0 <= rate < 1.0:
        raise InvalidOptionError(f"the rate is {rate}; a rate is the fraction relaxed, in [0, 1)")
