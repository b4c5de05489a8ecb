"""Which searches a problem is given to, in which order and shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from netopt.engines.branch_and_bound.search import Problem, Search, Watch
from netopt.specification.box import Box
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope

#: Up to so many unstable neurons for each input that is not fixed, splitting ReLUs is as likely to be short.
_EVEN = 8
#: Domains with more inputs than this that are not fixed are not split by their inputs.
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
    tightens : whether bounds of neurons are tightened for it where it does not get on.
    """

    name: str
    make: Callable[[Problem, Watch], Search[Any]]
    first: float
    share: float
    tightens: bool = False


def schedule(problem: Problem) -> list[Rule]:
    """Return the searches that suit a problem; none where the domain is of a kind that no search can split."""
    rules = []
    domain = problem.domain
    free = int(np.count_nonzero(domain.upper > domain.lower))
    few = free <= MOST_INPUTS
    # A proof log knows boxes and ReLUs, not the rows of a domain.
    rows_count = type(domain) is Box or problem.trail.silent
    if few and (rows_count or type(domain) is Polytope):
        even = problem.bounds.unstable_count <= _EVEN * free
        rules.append(Rule("input splitting", box_split, first=0.5 if even else 10.0, share=0.5 if even else 0.8))
    if problem.network.relus and (isinstance(domain, Box | L1Ball) or rows_count):
        tightens = isinstance(domain, Box | L1Ball)
        rules.append(
            Rule(
                "ReLU splitting",
                phase_split,
                first=1.0,
                share=1.0 - sum(rule.share for rule in rules),
                tightens=tightens,
            )
        )
    return rules


def box_split(problem: Problem, watch: Watch) -> Search[Any]:
    """Return a search that splits boxes; it is loaded when it is first used."""
    from netopt.engines.branch_and_bound.box_split import BoxSplit
    from netopt.engines.branch_and_bound.simplified import simplified

    return BoxSplit(simplified(problem), watch)


def phase_split(problem: Problem, watch: Watch) -> Search[Any]:
    """Return a search that splits ReLUs; it is loaded when it is first used."""
    from netopt.engines.branch_and_bound.phase_split import PhaseSplit

    return PhaseSplit(problem, watch)
