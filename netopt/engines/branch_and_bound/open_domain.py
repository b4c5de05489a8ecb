"""A problem's bounds of neurons made tighter where objectives are open; what is left out is closed already."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.bounds.constrained import constrained_bounds
from netopt.bounds.neuron_bounds import Condition
from netopt.bounds.preactivation import PreactivationBounds
from netopt.engines.branch_and_bound.layer_pass import Scene
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.branch_and_bound.team import Package, Team, processes, side_by_side
from netopt.engines.objective import rows_of

#: Most open objectives: each costs a search of its own, and what holds for any of them is looser the more they are.
_MOST_OPEN = 16


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """Conditions that one process takes into account.

    Attributes
    ----------
    bounds : that hold wherever one of the conditions is met.
    seconds : after which the process ends.
    """

    bounds: PreactivationBounds
    conditions: list[Condition]
    seconds: float


#: Bounds that hold wherever one of several conditions is met, and which of them are met nowhere.
Found = tuple[PreactivationBounds, BoolArray]


def where_open(
    problem: Problem,
    upper: FloatArray,
    enough: FloatArray,
    stopped: Callable[[], bool],
    deadline: float = np.inf,
    team: Team | None = None,
) -> tuple[Problem, BoolArray]:
    """Return the problem with bounds that hold where objectives are open, and which objectives that closes, (d,).

    Parameters
    ----------
    upper : (d,) proven bounds of the objectives.
    enough : (d,) what closes them; it never falls.
    stopped : asked all the time; what is reached then is returned.
    deadline : value of `time.monotonic`; likewise.
    team : processes that take part, once they are ready; each takes some of the objectives.
    """
    closes = np.zeros(upper.size, dtype=bool)
    is_open = np.flatnonzero(upper > enough)
    if not 0 < is_open.size <= _MOST_OPEN or not np.isfinite(upper[is_open]).all():
        return problem, closes
    conditions = [
        Condition(rows_of([problem.objectives[k]]), float(enough[k]), float(upper[k] - enough[k])) for k in is_open
    ]
    scene, count = Scene(problem.network, problem.domain), min(processes(team), len(conditions))
    seconds = max(0.0, deadline - time.monotonic())
    first, *others = [Share(problem.bounds, conditions[k::count], seconds) for k in range(count)]
    found, answers = side_by_side(
        team, bound_share, Package(scene), others, own=lambda: _bound(scene, first, stopped), stopped=stopped
    )
    answers.insert(0, found)
    for k, answer in enumerate(answers):
        closes[is_open[k::count]] = False if answer is None else answer[1]
    bounds = _loosest(problem.bounds, answers)
    return replace(problem, bounds=bounds, left_out=np.where(upper > enough, enough, np.inf)), closes


def bound_share(scene: Scene, share: Share) -> Found:
    """Return what a share of the conditions says; runs in another process."""
    return _bound(scene, share, lambda: False)


def _bound(scene: Scene, share: Share, stopped: Callable[[], bool]) -> Found:
    end = time.monotonic() + share.seconds
    return constrained_bounds(
        scene.network, scene.domain, share.bounds, share.conditions, lambda: stopped() or time.monotonic() >= end
    )


def _loosest(known: PreactivationBounds, answers: list[Found | None]) -> PreactivationBounds:
    """Return what holds wherever a condition of any share is met; where an answer is missing, only what was known."""
    met = [known if answer is None else answer[0] for answer in answers if answer is None or not answer[1].all()]
    return reduce(PreactivationBounds.unite, met) if met else known
