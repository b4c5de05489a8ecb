"""The relaxing walk: the best point of a linear region, a step past its boundary, the next region, while it improves.

After Tong, Cai and Serra, *Optimization over trained neural networks: taking a relaxing walk*, CPAIOR 2024
(arXiv 2401.03451). The step past the boundary goes along the way that led there, or along a gradient of the other side,
whichever finds the better point.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netopt.arrays import FloatArray
from netopt.attack.ascent import Best
from netopt.attack.objective import SlackBatch
from netopt.attack.region import Region, maximize_over_region
from netopt.network.network import Network
from netopt.specification.domain import Domain

#: Lengths of the steps past a boundary, relative to the domain's width (or to the way that led there).
_STEPS = np.geomspace(1e-6, 0.3, 12)
#: Random directions tried at a boundary, besides the way that led there.
_DIRECTIONS = 4
#: An improvement smaller than this, relative to 1 + |value|, ends a walk.
_LEAST_GAIN = 1e-7


def walk(
    network: Network,
    domain: Domain,
    objective: SlackBatch,
    disjunct: int,
    start: FloatArray,
    *,
    best: Best,
    stopped: Callable[[], bool],
    generator: np.random.Generator,
    deadline: float | None = None,
    most: int | None = None,
) -> float:
    """Walk from a member (n,) of the domain and return the t of the disjunct reached.

    Parameters
    ----------
    best : takes note of every point seen.
    stopped : asked throughout; once it says True the walk ends.
    deadline : value of `time.monotonic` at which a linear program under way ends too.
    most : most regions visited; None walks on while it improves.
    """
    here, value = start, _note(network, objective, best, start[None])[0, disjunct]
    visited = 0
    while not stopped() and (most is None or visited < most):
        region = Region.of(network, here)
        top = maximize_over_region(region, domain, objective, disjunct, stopped=stopped, deadline=deadline)
        top = domain.project(top[None])[0]
        reached = _note(network, objective, best, top[None])[0, disjunct]
        visited += 1
        before = value
        if reached > value:
            past, value = top + (top - here), reached
        else:
            past, top = here + (top - here), here
        beyond = _past(network, domain, objective, disjunct, top, past, generator)
        if stopped():
            break
        values = _note(network, objective, best, beyond)[:, disjunct]
        k = int(values.argmax())
        here = beyond[k]
        if values[k] > value:
            value = values[k]
        elif value <= before + _LEAST_GAIN * (1.0 + abs(before)):
            break
    return float(value)


def _past(
    network: Network,
    domain: Domain,
    objective: SlackBatch,
    disjunct: int,
    top: FloatArray,
    past: FloatArray,
    generator: np.random.Generator,
) -> FloatArray:
    """Return members around a region's best point, on the other sides of its boundary: (k, n)."""
    width = domain.upper - domain.lower
    target = np.full(_DIRECTIONS, disjunct)
    signs = generator.choice([-1.0, 1.0], size=(_DIRECTIONS, top.size))
    near = domain.project(top + 1e-6 * width * signs)
    _, gradient = objective.ascent(network, near, target, np.zeros(_DIRECTIONS))
    ways = np.concatenate([(past - top)[None], domain.maximizer(gradient) - top])
    points = top + (_STEPS[:, None, None] * ways).reshape(-1, top.size)
    return domain.project(points)


def _note(network: Network, objective: SlackBatch, best: Best, points: FloatArray) -> FloatArray:
    values = objective.values(network, points)
    best.update(points, values)
    return values
