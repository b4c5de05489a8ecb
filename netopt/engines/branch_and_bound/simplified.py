"""Problems about a network with opposite neurons, stated about the smaller network that equals it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.inputs import as_inputs
from netopt.bounds.propagation import forward_error, propagate
from netopt.bounds.rounding import UNIT_ROUNDOFF
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.objective import SlackObjective
from netopt.reduction.opposite import without_opposites


def simplified(problem: Problem) -> Problem:
    """Return the problem about a network without opposite neurons; the same where there are few, or a proof is logged.

    The two networks are equal in exact arithmetic. Bounds are to hold for the forward pass of the given one as well, so
    that its rounding errors are added to the objectives.
    """
    if not problem.trail.silent:
        return problem
    smaller = without_opposites(problem.network)
    if smaller.network is problem.network:
        return problem
    state = propagate(problem.network, as_inputs(problem.network, problem.domain), problem.bounds.pairs)
    error = forward_error(state)[problem.network.output][0]
    return replace(
        problem,
        network=smaller.network,
        bounds=smaller.bounds(problem.bounds),
        objectives=tuple(_raised(objective, error) for objective in problem.objectives),
    )


def _raised(objective: SlackObjective, error: FloatArray) -> SlackObjective:
    """Return an objective that is at most as much larger as errors of the outputs can make it."""
    rows = objective.conjunction
    more = np.abs(rows.output_matrix) @ error * (1.0 + 4.0 * rows.output_matrix.shape[1] * UNIT_ROUNDOFF)
    bound = rows.bound + more
    bound = bound + 2.0 * UNIT_ROUNDOFF * (np.abs(bound) + more)
    return replace(objective, conjunction=replace(rows, bound=bound))
