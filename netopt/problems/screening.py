"""Disjuncts closed by bounds alone: thousands of boxes at once, or one domain with bounds that later stages reuse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from netopt.arrays import sparse
from netopt.bounds.boxes import BoxBounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.precision import DOUBLE, SINGLE
from netopt.bounds.rows import bound_rows
from netopt.engines.branch_and_bound.box_evaluation import over_norm
from netopt.engines.objective import rows_of
from netopt.network.network import Network
from netopt.problems.goal import Goal
from netopt.problems.run import Run
from netopt.specification.box import Box

#: Most boxes bounded at once, and bytes of their values of one layer.
_BLOCK, _BYTES = 512, 2**22


def bound_goals(network: Network, goals: Sequence[Goal], bounds: PreactivationBounds) -> None:
    """Bound every row of the goals of one case by CROWN backward from it; `bounds` are over the case's domain."""
    outputs = np.concatenate([-goal.objective.conjunction.output_matrix for goal in goals])
    inputs = _input_rows(goals, network.input_size)
    offset = np.concatenate([goal.objective.conjunction.bound for goal in goals])
    upper = bound_rows(network, goals[0].domain, bounds, outputs, inputs, offset)
    first = 0
    for goal in goals:
        goal.bounded(upper[first : first + goal.objective.rows], bounds.level)
        first += goal.objective.rows


def screen_boxes(network: Network, cases: Iterable[Sequence[Goal]], run: Run) -> None:
    """Bound the goals of many box cases, many at once: by interval layers, by CROWN, by CROWN in float64."""
    open_cases = [goals for goals in cases if type(goals[0].domain) is Box]
    widest = max(network.input_size, *(node.size for node in network.nodes))
    block = int(np.clip(_BYTES // (8 * widest), 1, _BLOCK))
    for precision, level in ((SINGLE, "interval"), (SINGLE, "crown"), (DOUBLE, "crown")):
        open_cases = [left for goals in open_cases if (left := [goal for goal in goals if not goal.closed])]
        bounds = BoxBounds(network, precision)
        for first in range(0, len(open_cases), block):
            run.check()
            _bound_block(bounds, open_cases[first : first + block], level)


def _bound_block(bounds: BoxBounds, cases: Sequence[Sequence[Goal]], level: str) -> None:
    goals = [goal for some in cases for goal in some]
    box = np.repeat(np.arange(len(cases)), [len(some) for some in cases])
    rows = rows_of([goal.objective for goal in goals])
    lower = np.stack([some[0].domain.lower for some in cases])
    upper = np.stack([some[0].domain.upper for some in cases])
    boxes = bounds.over(lower, upper, intermediate=level == "crown")
    inputs = None if rows.input_matrix is None else rows.input_matrix.toarray()
    found = boxes.functions(rows.output_matrix, inputs, box[rows.owner])
    value = over_norm(found.bound, rows.offset, rows.norm)
    smallest = np.minimum.reduceat(value, np.flatnonzero(np.diff(rows.owner, prepend=-1)))
    for goal, upper_bound in zip(goals, smallest.tolist(), strict=True):
        goal.covered(upper_bound, level)


def _input_rows(goals: Sequence[Goal], input_size: int) -> sparse.csr_array | None:
    """Return the input parts of all rows, negated, or None when no row mentions an input."""
    if all(goal.objective.conjunction.input_matrix is None for goal in goals):
        return None
    parts: list[sparse.csr_array] = []
    for goal in goals:
        matrix = goal.objective.conjunction.input_matrix
        parts.append(sparse.csr_array((goal.objective.rows, input_size)) if matrix is None else -matrix)
    return sparse.csr_array(sparse.vstack(parts, format="csr"))
