"""The restarts of an attack shared by several processes, each with random numbers of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray
from netopt.attack.gradient_ascent import AttackResult, attack_case
from netopt.engines.branch_and_bound.team import Package, Team
from netopt.network.network import Network
from netopt.specification.property import Case


@dataclass(frozen=True, slots=True, eq=False)
class Restarts:
    """What one process climbs; see `netopt.attack.gradient_ascent.attack_case`."""

    case: Case
    generator: np.random.Generator
    seconds: float
    rounds: int


def attack_together(
    network: Network,
    case: Case,
    team: Team,
    *,
    generator: np.random.Generator,
    deadline: float,
    starts: FloatArray | None,
    interrupt: threading.Event,
    rounds: int,
) -> AttackResult:
    """Look for a point as `attack_case` does, with about as many restarts; the team has to be ready.

    Every round climbs twice as many points as the one before: with one round fewer, two processes do what one did.
    """
    fewer = max(1, rounds - (team.count + 1).bit_length() + 1)
    package, seconds = Package.of(network), max(0.0, deadline - time.monotonic())
    futures = [team.begin(climb, package, Restarts(case, own, seconds, fewer)) for own in generator.spawn(team.count)]
    found = attack_case(
        network, case, generator=generator, deadline=deadline, starts=starts, interrupt=interrupt, rounds=fewer
    )
    for future in futures:
        answer = team.answer(future, interrupt.is_set)
        if answer is not None:
            found = _better(found, answer)
    return found


def climb(network: Network, restarts: Restarts) -> AttackResult:
    """Attack in another process."""
    return attack_case(
        network,
        restarts.case,
        generator=restarts.generator,
        deadline=time.monotonic() + restarts.seconds,
        rounds=restarts.rounds,
    )


def _better(one: AttackResult, other: AttackResult) -> AttackResult:
    """Return the better point of every disjunct."""
    better = other.values > one.values
    values, points = np.where(better, other.values, one.values), np.where(better[:, None], other.points, one.points)
    winner = int(values.argmax())
    return AttackResult(points[winner].copy(), float(values[winner]), winner, values, points)
