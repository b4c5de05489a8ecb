"""Which searches a problem is given to, in which order and shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from netopt.engines.branch_and_bound.earlier import BoxHalves, LineHalves
from netopt.engines.branch_and_bound.search import Problem, Search, Watch
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball

#: Boxes with more inputs than this that are not fixed are not split by their inputs.
MOST_INPUTS = 20


@dataclass(frozen=True, slots=True)
class Rule:
    """One search of a schedule.

    Attributes
    ----------
    name : what a bound rests on, in results.
    make : starts the search.
    first : seconds it gets before the next one of the schedule begins.
    share : of the time after that.
    """

    name: str
    make: Callable[[Problem, Watch], Search[Any]]
    first: float
    share: float


def schedule(problem: Problem) -> list[Rule]:
    """Return the searches that suit a problem; none where the domain is of a kind that no search can split."""
    rules = []
    domain = problem.domain
    if type(domain) is Box and np.count_nonzero(domain.upper > domain.lower) <= MOST_INPUTS:
        rules.append(Rule("input splitting", BoxHalves, first=3.0, share=0.8))
    if isinstance(domain, Box | L1Ball) and problem.network.relus:
        rules.append(Rule("ReLU splitting", LineHalves, first=1.0, share=0.2 if rules else 1.0))
    return rules
