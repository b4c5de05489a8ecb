"""A long attack by the processes of a team, each with random numbers of its own, while this one goes on.

Where there is no witness the attack takes nothing from the search, and where there is one neither waits for the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray
from netopt.attack.gradient_ascent import ROBUST, AttackResult, attack_case
from netopt.engines.branch_and_bound.team import Package, Team
from netopt.network.network import Network
from netopt.specification.property import Case


@dataclass(frozen=True, slots=True, eq=False)
class Restarts:
    """What one process climbs, one case after the other; see `netopt.attack.gradient_ascent.attack_case`.

    Attributes
    ----------
    starts : of each case.
    seconds : for all cases together.
    """

    cases: Sequence[Case]
    starts: Sequence[FloatArray | None]
    generator: np.random.Generator
    seconds: float
    rounds: int


def attack_beside(
    network: Network,
    cases: Sequence[Case],
    team: Team,
    *,
    generator: np.random.Generator,
    seconds: float,
    starts: Sequence[FloatArray | None],
    rounds: int,
    heard: Callable[[Sequence[AttackResult]], None],
) -> None:
    """Have the processes of a team look for points as `attack_case` does; the team has to be ready.

    Every round climbs twice as many points as the one before: with one round fewer, two processes do what one does.

    Parameters
    ----------
    starts : of each case, for the first process.
    heard : told the results of the first cases, of those that a process came to, once for each process.
    """
    package, fewer = Package(network), max(1, rounds - team.count.bit_length() + 1)
    for k, own in enumerate(generator.spawn(team.count)):
        restarts = Restarts(cases, starts if k == 0 else [None] * len(cases), own, seconds, fewer)
        team.lend(climb, package, restarts, heard)


def climb(network: Network, restarts: Restarts) -> list[AttackResult]:
    """Attack cases until one is hit or the time is up; runs in another process."""
    end, results = time.monotonic() + restarts.seconds, list[AttackResult]()
    for k, (case, starts) in enumerate(zip(restarts.cases, restarts.starts, strict=True)):
        now = time.monotonic()
        if now >= end or (results and results[-1].value >= ROBUST):
            break
        deadline = now + (end - now) / (len(restarts.cases) - k)
        own, rounds = restarts.generator, restarts.rounds
        results.append(attack_case(network, case, generator=own, deadline=deadline, starts=starts, rounds=rounds))
    return results
