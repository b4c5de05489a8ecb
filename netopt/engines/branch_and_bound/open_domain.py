"""A problem's bounds of neurons made tighter where objectives are open; what is left out is closed already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.bounds.constrained import constrained_bounds
from netopt.bounds.neuron_bounds import Condition
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.objective import rows_of

#: Most open objectives: each costs a search of its own, and what holds for any of them is looser the more they are.
_MOST_OPEN = 16


def where_open(
    problem: Problem, upper: FloatArray, enough: FloatArray, stopped: Callable[[], bool]
) -> tuple[Problem, BoolArray]:
    """Return the problem with bounds that hold where objectives are open, and which objectives that closes, (d,).

    Parameters
    ----------
    upper : (d,) proven bounds of the objectives.
    enough : (d,) what closes them; it never falls.
    stopped : asked all the time; what is reached then is returned.
    """
    closes = np.zeros(upper.size, dtype=bool)
    is_open = np.flatnonzero(upper > enough)
    if not 0 < is_open.size <= _MOST_OPEN or not np.isfinite(upper[is_open]).all():
        return problem, closes
    conditions = [
        Condition(rows_of([problem.objectives[k]]), float(enough[k]), float(upper[k] - enough[k])) for k in is_open
    ]
    bounds, closes[is_open] = constrained_bounds(problem.network, problem.domain, problem.bounds, conditions, stopped)
    return replace(problem, bounds=bounds, left_out=np.where(upper > enough, enough, np.inf)), closes
