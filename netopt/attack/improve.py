"""Improving given points: a few gradient steps from each, then linear programs from region to region."""

from __future__ import annotations

import threading

import numpy as np

from netopt.arrays import FloatArray
from netopt.attack.ascent import Ascent, Best, Direction
from netopt.attack.objective import SlackBatch
from netopt.attack.stopping import stopping
from netopt.attack.walk import walk
from netopt.errors import InputError
from netopt.network.network import Network
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball

_ITERATIONS = 30
#: First step of a climb from a point, as a share of the domain's width.
_STEP = 0.05
#: Disjuncts walked for, the closest first.
_DISJUNCTS = 3


def improve(
    network: Network,
    domain: Domain,
    objective: SlackBatch,
    points: FloatArray,
    *,
    deadline: float | None = None,
    interrupt: threading.Event | None = None,
    generator: np.random.Generator,
) -> Best:
    """Look for better points near given ones.

    Parameters
    ----------
    points : (k, n); those outside of the domain are projected onto it.
    deadline : value of `time.monotonic` at which it ends, None for as long as it improves.
    interrupt : ends it once set.
    generator : the only source of randomness.

    Returns
    -------
    Best
        For each disjunct the best member seen and its t, never worse than at the points themselves.

    Raises
    ------
    InputError
        No point is given, or their length is not the network's input size.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.attack.improve import improve
    >>> from netopt.attack.objective import SlackBatch
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0], [1.0]], [[1.0, -2.0]]], [[0.0, -0.5], [0.0]])  # rises to x = 0.5, then falls
    >>> box = Box(np.zeros(1), np.ones(1))
    >>> objective = SlackBatch.linear(np.ones(1))
    >>> best = improve(network, box, objective, np.array([[0.1]]), generator=np.random.default_rng(0))
    >>> round(float(best.values[0]), 6)
    0.5
    """
    given = np.atleast_2d(np.asarray(points, dtype=np.float64))
    if given.shape[1] != network.input_size or not given.size:
        raise InputError(
            f"points to improve need the shape (k, {network.input_size}) with k >= 1; {np.shape(points)} was given"
        )

    stopped = stopping(deadline, interrupt)
    start = domain.project(given)
    best = Best.empty(objective.disjuncts, domain.dimension)
    values = objective.values(network, start)
    best.update(start, values)
    if not stopped():
        _climb(network, domain, objective, start, values).run(_ITERATIONS, best, stopped)
    for disjunct in np.argsort(-best.values, kind="stable")[:_DISJUNCTS]:
        if stopped():
            break
        walk(
            network,
            domain,
            objective,
            int(disjunct),
            best.points[disjunct].copy(),
            best=best,
            stopped=stopped,
            generator=generator,
            deadline=deadline,
        )
    return best


def _climb(network: Network, domain: Domain, objective: SlackBatch, start: FloatArray, values: FloatArray) -> Ascent:
    """Return short climbs from every point towards the disjunct it is closest to, by both kinds of step."""
    count = len(start)
    first = Direction.VERTEX if isinstance(domain, L1Ball) else Direction.SIGNS
    return Ascent(
        network=network,
        domain=domain,
        objective=objective,
        start=np.concatenate([start, start]),
        target=np.tile(values.argmax(axis=1), 2),
        spread=np.repeat([0.0, 1.0], count),
        direction=np.repeat([first, Direction.GRADIENT], count),
        step=np.full(2 * count, _STEP),
    )
