"""From what a solver said to a `SolverResult` that does not contradict itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray
from netopt.solvers.monitor import Monitor, unknown_bound
from netopt.solvers.result import SolverResult, Termination

#: A claimed incumbent may miss a row, bound or integer by this much, relative to 1 + the largest term; more is broken.
_FEASIBILITY = 1e-4
#: A dual bound may be this much worse than the incumbent, relative to 1 + |incumbent|; more is a contradiction.
_CONSISTENCY = 1e-5


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorAnswer:
    """What the vendor said, in netopt's vocabulary but not yet checked.

    Attributes
    ----------
    termination : from the adapter's status table.
    status : the vendor's own word.
    dual_bound : in the model's sense; infinite or NaN when unknown.
    point : (columns,) the vendor's incumbent, or None.
    nodes : branch-and-bound nodes.
    row_duals : (rows,) for an LP.
    """

    termination: Termination
    status: str
    dual_bound: float
    point: FloatArray | None = None
    nodes: int = 0
    row_duals: FloatArray | None = None


def make_result(monitor: Monitor, answer: VendorAnswer, solver: str) -> SolverResult:
    """Merge the vendor's answer with what the monitor saw on the way, and check it.

    The incumbent is the best point seen (its objective recomputed from the model in float64), the dual bound the best
    proved; an answer that contradicts itself becomes `Termination.NUMERICAL` without a dual bound.
    """
    monitor.raise_callback_error()
    broken = answer.point is not None and not is_plausible(monitor, answer.point)
    if answer.point is not None and not broken:
        monitor.incumbent(answer.point)
    if math.isfinite(answer.dual_bound):
        monitor.bound(answer.dual_bound)
    monitor.close()
    monitor.raise_callback_error()
    termination = _stopped_by(monitor, answer.termination)
    dual = _dual_bound(monitor, answer)
    if broken or _contradicts(monitor, termination, dual):
        termination = Termination.NUMERICAL
    if termination is Termination.NUMERICAL:
        dual = unknown_bound(monitor.model)
    return SolverResult(
        termination=termination,
        primal_bound=monitor.primal_bound,
        dual_bound=dual,
        point=monitor.point,
        seconds=monitor.seconds,
        nodes=answer.nodes,
        row_duals=answer.row_duals if termination is Termination.OPTIMAL else None,
        vendor_status=answer.status,
        solver=solver,
    )


def _stopped_by(monitor: Monitor, claimed: Termination) -> Termination:
    """Return why the solve ended: the monitor's reason explains an interrupt or limit, never a finished proof."""
    stops = {Termination.INTERRUPTED, Termination.TIME_LIMIT, Termination.OBJECTIVE_LIMIT, Termination.NODE_LIMIT}
    if claimed in stops and monitor.reason is not None:
        return monitor.reason
    return claimed


def _dual_bound(monitor: Monitor, answer: VendorAnswer) -> float:
    """Return the best dual bound proved: the optimum over the empty set is worse than anything."""
    if answer.termination is Termination.INFEASIBLE:
        return -unknown_bound(monitor.model)
    if answer.termination in (Termination.UNBOUNDED, Termination.INFEASIBLE_OR_UNBOUNDED):
        return unknown_bound(monitor.model)
    return monitor.dual_bound


def is_plausible(monitor: Monitor, point: FloatArray) -> bool:
    """Return whether a point is feasible within what a working solver may leave (far looser than its tolerance)."""
    model = monitor.model
    if point.shape != model.column_lower.shape or not np.isfinite(point).all():
        return False
    scale = 1.0 + float(np.abs(point).max(initial=0.0)) * max(1.0, float(np.abs(model.matrix.data).max(initial=0.0)))
    return model.violation(point) <= _FEASIBILITY * scale


def _contradicts(monitor: Monitor, termination: Termination, dual: float) -> bool:
    primal, parameters = monitor.primal_bound, monitor.parameters
    if primal is None:
        return termination is Termination.OPTIMAL
    if termination is Termination.INFEASIBLE:
        return True
    slack = _CONSISTENCY * (1.0 + abs(primal))
    shortfall = primal - dual if monitor.model.maximize else dual - primal
    if shortfall > slack:
        return True
    gap = max(parameters.absolute_gap, parameters.relative_gap * abs(primal))
    return termination is Termination.OPTIMAL and -shortfall > gap + 10.0 * slack
