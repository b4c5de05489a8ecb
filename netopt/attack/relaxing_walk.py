"""Relaxing walks: from the root relaxation's point through linear regions, again and again with some neurons fixed.

Tong, Cai and Serra, *Optimization over trained neural networks: taking a relaxing walk*, CPAIOR 2024
(arXiv 2401.03451). A restart fixes unstable neurons at random, the likelier the further the relaxation's output is from
their ReLU, in the phase their pre-activation has there or, with the same probability, the other. A walk before all
others starts from the best of `relaxed_starts`: members near the relaxation's point, found long before a simplex ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.attack.ascent import Best
from netopt.attack.objective import SlackBatch
from netopt.attack.relaxed_start import relaxed_starts
from netopt.attack.root_lp import RootLp
from netopt.attack.stopping import stopping
from netopt.attack.walk import walk
from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.network import Network
from netopt.specification.domain import Domain

#: Expected number of neurons a restart fixes.
_FIXED = 8.0


def relaxing_walk(
    network: Network,
    domain: Domain,
    objective: SlackBatch,
    bounds: PreactivationBounds,
    *,
    generator: np.random.Generator,
    disjunct: int = 0,
    deadline: float | None = None,
    interrupt: threading.Event | None = None,
    restarts: int | None = None,
    best: Best | None = None,
) -> Best:
    """Walk from the root relaxation's point, then from those of relaxations with some neurons fixed.

    Parameters
    ----------
    bounds : pre-activation bounds of this network over this domain.
    generator : the only source of randomness.
    disjunct : of the objective, the one climbed.
    deadline : value of `time.monotonic` at which it ends.
    interrupt : ends it once set.
    restarts : walks after the first; None goes on to the deadline, and is none without one.
    best : takes note of every point seen, for a caller that wants to hear of them as they come; None for a new one.

    Returns
    -------
    Best
        The best points seen, the domain's centre among them.

    Raises
    ------
    InputError
        The bounds belong to another network or the domain does not fit.
    """
    stopped = stopping(deadline, interrupt)
    if restarts is None and deadline is None:
        restarts = 0
    best = Best.empty(objective.disjuncts, domain.dimension) if best is None else best
    center = domain.center[None]
    best.update(center, objective.values(network, center))
    walk_from = partial(
        walk,
        network,
        domain,
        objective,
        disjunct,
        best=best,
        stopped=stopped,
        generator=generator,
        deadline=deadline,
    )
    starts = relaxed_starts(network, domain, objective, deadline, bounds=bounds, stopped=stopped)
    best.update(starts.points, objective.values(network, starts.points))
    if not stopped():
        walk_from(starts.points[starts.target == disjunct][0])
    root = RootLp(network, domain, objective, disjunct, bounds, stopped, deadline)
    _walk_from_relaxations(root, lambda point: walk_from(domain.project(point[None])[0]), restarts, stopped, generator)
    return best


def _walk_from_relaxations(
    root: RootLp,
    walk_from: Callable[[FloatArray], object],
    restarts: int | None,
    stopped: Callable[[], bool],
    generator: np.random.Generator,
) -> None:
    """Walk from the root relaxation's point, then from those with some neurons fixed as the root's gaps suggest."""
    walks = 0
    while not stopped():
        point = root.solve()
        if point is not None:
            walk_from(point)
            if walks == 0:
                gaps, active = root.gaps, root.preactivations > 0.0
        elif walks == 0:
            break
        if walks == restarts or not gaps.any():
            break
        root.fix(*_phases(gaps, active, generator))
        walks += 1


def _phases(gaps: FloatArray, active: BoolArray, generator: np.random.Generator) -> tuple[BoolArray, BoolArray]:
    """Return which neurons to fix and which of them as active, given the root relaxation's gaps and phases."""
    chosen = generator.random(gaps.size) < _FIXED * gaps / gaps.sum()
    kept = generator.random(gaps.size) < 0.5
    return chosen, active == kept
