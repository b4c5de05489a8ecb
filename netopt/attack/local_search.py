"""Random local search around the best point of each disjunct: what gradients miss on the kinks of a minimum of rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netopt.arrays import FloatArray
from netopt.attack.ascent import Best
from netopt.attack.objective import SlackBatch
from netopt.network.network import Network
from netopt.specification.domain import Domain

#: Beyond this many inputs random directions hardly ever improve, and the search is left to gradients.
MOST_INPUTS = 64
_GENERATIONS = 12
_SCALES = np.geomspace(0.3, 1e-5, 12)


def perturb(
    network: Network,
    domain: Domain,
    objective: SlackBatch,
    best: Best,
    generator: np.random.Generator,
    batch: int,
    stopped: Callable[[], bool],
) -> None:
    """Improve `best` by random steps of many lengths, along single inputs and along all, with recentring.

    Parameters
    ----------
    batch : points one evaluation may hold.
    stopped : asked before every evaluation.
    """
    if domain.dimension > MOST_INPUTS:
        return
    width = domain.upper - domain.lower
    for _ in range(_GENERATIONS):
        for disjunct in np.argsort(-best.values, kind="stable")[:4]:
            if stopped():
                return
            steps = _steps(generator, batch, domain.dimension)
            points = domain.project(best.points[disjunct] + steps * width)
            best.update(points, objective.values(network, points))


def _steps(generator: np.random.Generator, count: int, dimension: int) -> FloatArray:
    """Return random steps relative to the domain's width, half of them along one input."""
    steps = generator.standard_normal((count, dimension))
    single = np.zeros((count // 2, dimension))
    chosen = generator.integers(dimension, size=count // 2)
    single[np.arange(count // 2), chosen] = steps[: count // 2, 0]
    steps[: count // 2] = single
    return np.asarray(steps * generator.choice(_SCALES, size=(count, 1)))
