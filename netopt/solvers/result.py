"""What every solver answers, in one vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from netopt.arrays import FloatArray


class Termination(StrEnum):
    """Why a solver stopped. What it proved is in the bounds of `SolverResult`, not here."""

    OPTIMAL = "optimal"  # the gap is closed within the tolerances asked for
    INFEASIBLE = "infeasible"  # no point satisfies the rows, within the solver's feasibility tolerance
    UNBOUNDED = "unbounded"  # the objective is unbounded; nothing may be concluded of feasibility without a point
    INFEASIBLE_OR_UNBOUNDED = "infeasible_or_unbounded"  # presolve could not tell which; conclude neither
    OBJECTIVE_LIMIT = "objective_limit"  # an incumbent reached `objective_limit`; it need not be optimal
    BOUND_LIMIT = "bound_limit"  # the dual bound reached `bound_limit`; an incumbent may not exist
    TIME_LIMIT = "time_limit"  # the bounds so far are valid
    NODE_LIMIT = "node_limit"  # node, iteration or solution limit; the bounds so far are valid
    MEMORY_LIMIT = "memory_limit"  # the bounds so far are valid
    INTERRUPTED = "interrupted"  # by the caller; the bounds so far are valid
    NUMERICAL = "numerical"  # the solver gave up; its bounds are not to be trusted
    ERROR = "error"  # the solver broke or its process died; bounds reported before that stand


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SolverResult:
    """The answer to one model.

    Attributes
    ----------
    termination : why the solver stopped.
    primal_bound : objective of the incumbent, in the model's sense; None without one.
    dual_bound : proven bound on the optimum (an upper bound when maximizing). When nothing is known it is +inf when
        maximizing, -inf when minimizing; INFEASIBLE has the opposite infinity, the optimum over the empty set.
    point : the incumbent, (columns,); None without one.
    seconds : wall time of the call.
    nodes : branch-and-bound nodes, 0 for an LP.
    row_duals : (rows,) for an LP solved to optimality, d objective / d row activity as HiGHS reports it (when
        minimizing, >= 0 where the row is at its lower side); None otherwise.
    vendor_status : the vendor's own word.
    solver : name and version.
    """

    termination: Termination
    primal_bound: float | None
    dual_bound: float
    point: FloatArray | None
    seconds: float
    nodes: int = 0
    row_duals: FloatArray | None = None
    vendor_status: str = ""
    solver: str = ""
