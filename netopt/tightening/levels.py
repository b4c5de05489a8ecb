"""All bound levels behind one function."""

from __future__ import annotations

import threading
import time
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial

from formulations.big_m import BigM
from formulations.triangle import Triangle
from netopt.bounds.compute import compute_bounds
from netopt.bounds.preactivation import LEVELS, PreactivationBounds
from netopt.errors import InvalidOptionError
from netopt.network.network import Network
from netopt.solvers.child import ChildSolver
from netopt.solvers.highs import Highs
from netopt.solvers.solver import MilpSolver
from netopt.specification.domain import Domain
from netopt.tightening.lp import LpBounder
from netopt.tightening.milp import MilpBounder
from netopt.tightening.parallel import Stop
from netopt.tightening.sweep import ProgressCallback, Sweep

#: Of the time left, the share that the LP pass may take when a MILP pass follows.
_LP_SHARE = 0.5


def tighten(
    network: Network,
    domain: Domain,
    level: str,
    *,
    solver: MilpSolver | None = None,
    time_limit: float | None = None,
    deadline: float | None = None,
    neuron_time_limit: float = 20.0,
    threads: int = 1,
    start: PreactivationBounds | None = None,
    progress: ProgressCallback | None = None,
    interrupt: threading.Event | None = None,
) -> PreactivationBounds:
    """Return bounds of every ReLU's pre-activation and of the output, of any level.

    Every level starts from the one before it, asks only about neurons that are still unstable (and the outputs), and
    never loosens a bound.

    Parameters
    ----------
    level : ``"interval"``, ``"crown"``, ``"alpha-crown"``, ``"lp"`` or ``"milp"``.
    solver : for ``"milp"``; default HiGHS. It runs in child processes, those of a `ChildSolver` given here included.
    time_limit, deadline : seconds from now, and a value of `time.monotonic`; the earlier counts. What is reached by
        then is returned, and its level is the last one that was completed.
    neuron_time_limit : seconds for one side of one neuron at level ``"milp"``; its dual bound by then counts.
    threads : neurons bounded at the same time.
    start : bounds of this network over this domain (or a larger one) known already.
    progress : called after each neuron.
    interrupt : once set, tightening ends as at the time limit.

    Raises
    ------
    InvalidOptionError
        The level is unknown, or `threads` is not positive.
    InputError
        The domain does not fit the network or is empty, or `start` belongs to another network.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> from netopt.tightening.levels import tighten
    >>> weights = [[[1.0], [-1.0]], [[1.0, 1.0]], [[1.0]]]
    >>> network = from_weights(weights, [[0.0, 0.0], [-0.5], [0.0]])
    >>> bounds = tighten(network, Box(np.array([-1.0]), np.array([1.0])), "lp")
    >>> bounds.level, bounds.upper["layer2.relu"].round(6).tolist()
    ('lp', [0.5])
    """
    if level not in LEVELS:
        raise InvalidOptionError(f"unknown bound level {level!r}; choose one of {', '.join(LEVELS)}")
    if threads < 1:
        raise InvalidOptionError(f"threads must be at least 1, {threads} was given")
    ends = [time.monotonic() + time_limit] if time_limit is not None else []
    ends += [deadline] if deadline is not None else []
    stop = Stop(min(ends, default=None), interrupt)
    bounds = compute_bounds(network, domain, "interval" if level == "interval" else "crown", deadline=stop.deadline)
    if start is not None:
        start.require(network)
        bounds = bounds.intersect(start)
    if level in ("alpha-crown", "lp", "milp"):
        from netopt.bounds.alpha_crown import alpha_crown_bounds

        bounds = alpha_crown_bounds(network, domain, bounds, stopped=stop)
    if level == "lp":
        return _lp(network, domain, bounds, stop, threads, progress)
    if level == "milp":
        return _milp(
            network, domain, bounds, stop, threads, progress, solver=solver, neuron_time_limit=neuron_time_limit
        )
    return bounds


def _lp(
    network: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    stop: Stop,
    threads: int,
    progress: ProgressCallback | None,
) -> PreactivationBounds:
    sweep = Sweep(network, domain, bounds, "lp", Triangle(), LpBounder, threads, stop, progress)
    return _finish(sweep)


def _milp(
    network: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    stop: Stop,
    threads: int,
    progress: ProgressCallback | None,
    *,
    solver: MilpSolver | None,
    neuron_time_limit: float,
) -> PreactivationBounds:
    remaining = stop.remaining
    half = stop if remaining is None else replace(stop, deadline=time.monotonic() + _LP_SHARE * remaining)
    bounds = _lp(network, domain, bounds, half, threads, progress)
    with nullcontext(solver) if isinstance(solver, ChildSolver) else closing(ChildSolver(solver or Highs())) as child:
        make = partial(MilpBounder, solver=child, neuron_time_limit=neuron_time_limit)
        return _finish(Sweep(network, domain, bounds, "milp", BigM(), make, threads, stop, progress))


def _finish(sweep: Sweep) -> PreactivationBounds:
    """Run a sweep and name the level it completed."""
    before = sweep.bounds.level
    if not sweep.run():
        return sweep.bounds
    return replace(sweep.bounds, level=max(before, sweep.level, key=LEVELS.index))
