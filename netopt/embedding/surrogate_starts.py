"""First points, from the model without its networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from netopt.arrays import FloatArray
from netopt.embedding.surrogate_steps import LinearSteps, Solve

#: Random objectives that points are drawn with.
_DRAWN = 4


def guesses(
    steps: LinearSteps, solve: Solve, generator: np.random.Generator
) -> Iterator[Callable[[], FloatArray | None]]:
    """Yield ways to a point: nearest to zero, linearly feasible, along the networks' slopes, random.

    Points are of the linear part, with outputs that are not yet the networks'.
    """
    linear = steps.evaluator.problem.linear
    count = linear.column_count
    zero = np.clip(np.zeros(count), linear.column_lower, linear.column_upper)
    if steps.judge(zero).feasible:
        yield lambda: zero
    plain = replace(linear, objective=np.zeros(count), column_blocks=(), row_blocks=())
    point = solve(plain)
    if point is None:
        return
    yield lambda: point
    yield lambda: steps.guess(steps.judge(point).point)
    decided = linear.integral | np.isin(np.arange(count), steps.evaluator.decisions)
    bounded = np.isfinite(linear.column_lower) & np.isfinite(linear.column_upper)
    for _ in range(_DRAWN if bounded[decided].all() else 0):
        objective = np.where(decided, generator.standard_normal(count), 0.0)
        yield lambda objective=objective: solve(replace(plain, objective=objective))  # type: ignore[misc]
