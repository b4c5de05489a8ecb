"""Methods that look for points of the dense network: ascents, walk, netopt's own calls with and without pruning."""

from __future__ import annotations

import numpy as np

from benchmarks.surrogate_common.milp_methods import dense_bounds
from benchmarks.surrogate_common.problem import Means, Problem
from benchmarks.surrogate_common.trace import Trace, TracedBest
from netopt.attack.gradient_ascent import RestartSearch
from netopt.attack.objective import SlackBatch
from netopt.attack.portfolio import portfolio as run_portfolio
from netopt.attack.relaxing_walk import relaxing_walk
from netopt.network.gradient import value_and_gradient
from netopt.problems.maximization import maximize
from netopt.problems.results import MaximizationResult
from netopt.specification.box import Box

#: The plain ascent: points, steps of a restart, and its first and last step as shares of the domain's width.
_POINTS, _STEPS, _FIRST, _LAST = 64, 100, 0.3, 1e-3


def sign_ascent(problem: Problem, means: Means, trace: Trace) -> None:
    """Climb from 64 random members at once along the gradient's signs, by shrinking steps; start again.

    In an L1 ball the steps go towards the member that maximises the gradient. This is what any user would write.
    """
    generator = np.random.default_rng(means.seed)
    domain = problem.domain
    box = isinstance(domain, Box)
    width = domain.upper - domain.lower
    while not trace.stopped():
        x = domain.sample(generator, _POINTS)
        x[0] = domain.center
        for step in np.geomspace(_FIRST, _LAST, _STEPS):
            y, gradient = value_and_gradient(problem.network, x, np.tile(problem.weights, (_POINTS, 1)))
            values = y @ problem.weights
            k = int(values.argmax())
            if values[k] > trace.value:
                trace.offer(x[k], "ascent")
            if trace.stopped():
                return
            if box:
                x = domain.project(x + step * width * np.sign(gradient))
            else:
                x = x + step * (domain.maximizer(gradient) - x)


def pgd(problem: Problem, means: Means, trace: Trace) -> None:
    """Climb by netopt's multi-start projected gradient ascent (Auto-PGD's step sizes) for all of the time."""
    search = RestartSearch(
        problem.network,
        problem.domain,
        SlackBatch.linear(problem.weights),
        np.random.default_rng(means.seed),
        trace.deadline,
        trace.halt,
        np.inf,
        TracedBest(trace),
    )
    search.run(None, None)


def portfolio(problem: Problem, means: Means, trace: Trace) -> None:
    """Let netopt's primal heuristics take turns for all of the time: ascents, populations, walks, sampled regions."""
    run_portfolio(
        problem.network,
        problem.domain,
        SlackBatch.linear(problem.weights),
        generator=np.random.default_rng(means.seed),
        deadline=trace.deadline,
        interrupt=trace.halt,
        best=TracedBest(trace),
    )


def walk(problem: Problem, means: Means, trace: Trace) -> None:
    """Walk from region to region, first from the root relaxation's point, then from restarts."""
    relaxing_walk(
        problem.network,
        problem.domain,
        SlackBatch.linear(problem.weights),
        dense_bounds(problem, trace),
        generator=np.random.default_rng(means.seed),
        deadline=trace.deadline,
        interrupt=trace.halt,
        best=TracedBest(trace),
    )


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
