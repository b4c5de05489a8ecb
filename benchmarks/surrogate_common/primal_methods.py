"""Methods that look for points of the dense network: ascent, walk, netopt's own calls with and without pruning."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.surrogate_common.milp_methods import root_lp
from benchmarks.surrogate_common.problem import Means, Problem
from benchmarks.surrogate_common.trace import FOUND, Trace, TracedBest
from netopt.attack.gradient_ascent import ascend_linear
from netopt.attack.objective import SlackBatch
from netopt.attack.walk import walk as walk_from
from netopt.problems.maximization import maximize
from netopt.problems.results import MaximizationResult

#: Seconds of the first call of the ascent; each later one takes twice as long, from the best point so far.
_FIRST_CLIMB = 0.1


def pgd(problem: Problem, means: Means, trace: Trace) -> None:
    """Climb by netopt's multi-start projected gradient ascent for all of the time."""
    generator = np.random.default_rng(means.seed)
    trace.offer(problem.domain.center)
    seconds = _FIRST_CLIMB
    while not trace.stopped():
        point, _ = ascend_linear(
            problem.network,
            problem.domain,
            problem.weights,
            generator=generator,
            deadline=min(trace.deadline, time.monotonic() + seconds),
            starts=trace.point,
            interrupt=trace.halt,
            target=np.inf if trace.value > FOUND else 2.0 * FOUND,
        )
        trace.offer(point)
        seconds *= 2.0


def walk(problem: Problem, means: Means, trace: Trace) -> None:
    """Walk from region to region, first from the root's relaxation, then from random members."""
    root_lp(problem, means, trace)
    generator = np.random.default_rng(means.seed)
    best = TracedBest(trace)
    start = trace.point
    while not trace.stopped():
        walk_from(
            problem.network,
            problem.domain,
            SlackBatch.linear(problem.weights),
            0,
            problem.domain.sample(generator, 1)[0] if start is None else start,
            best=best,
            stopped=trace.stopped,
            generator=generator,
            deadline=trace.deadline,
        )
        start = None


def default(problem: Problem, means: Means, trace: Trace) -> None:
    """Call netopt's `maximize` without surrogates."""
    _maximize(problem, means, trace, None)


def ladder(problem: Problem, means: Means, trace: Trace) -> None:
    """Call netopt's `maximize` with the ladder of surrogates."""
    _maximize(problem, means, trace, "ladder")


def surrogate(problem: Problem, means: Means, trace: Trace, mask: str, rate: str) -> None:
    """Call netopt's `maximize` with a single surrogate."""
    _maximize(problem, means, trace, f"{mask}:{rate}")


def _maximize(problem: Problem, means: Means, trace: Trace, prune: str | None) -> None:
    result = maximize(
        problem.network,
        problem.domain,
        weights=problem.weights,
        prune=prune,
        solver=means.solver,
        time_limit=trace.remaining,
        seed=means.seed,
        progress=trace.report,
        interrupt=trace.halt,
    )
    _take(result, trace)


def _take(result: MaximizationResult, trace: Trace) -> None:
    """Check the final point and bound, and note what the call says of itself."""
    if result.witness is not None:
        trace.offer(result.witness.x)
    if result.dual_bound is not None:
        trace.proved(result.dual_bound, ", ".join(result.proved_by))
    for number, stage in enumerate(result.stages):
        trace.stages[f"{number}.{stage['name']}"] = stage["seconds"]
    for key in ("weights", "relus", "binaries", "rows", "columns"):
        sizes = [stage[key] for stage in result.stages if key in stage]
        if sizes:
            trace.sizes[key] = sizes[0]
    if result.status.value == "optimal":
        trace.status = "solved"
