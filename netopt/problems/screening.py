"""Disjuncts closed by bounds alone: thousands of boxes at once, or one domain with bounds that later stages reuse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from netopt.arrays import sparse
from netopt.bounds.batch import bound_rows_over_boxes
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.rows import bound_rows
from netopt.network.network import Network
from netopt.problems.goal import Goal
from netopt.problems.run import Run
from netopt.specification.box import Box

#: Boxes screened in one call: bounds the memory of their stacked rows.
BLOCK = 512


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
    """Bound the goals of many box cases, `BLOCK` boxes a call: first with interval layers, the open ones with CROWN."""
    for level in ("interval", "crown"):
        boxes = [
            [goal for goal in goals if not goal.closed]
            for goals in cases
            if any(not goal.closed for goal in goals) and type(goals[0].domain) is Box
        ]
        boxes.sort(key=_row_count)  # boxes of one block are padded to the same number of rows
        for first in range(0, len(boxes), BLOCK):
            run.check()
            _bound_block(network, boxes[first : first + BLOCK], level, run.deadline)


def _bound_block(network: Network, boxes: list[list[Goal]], level: str, deadline: float | None) -> None:
    rows = max(_row_count(goals) for goals in boxes)
    outputs = np.zeros((len(boxes), rows, network.output_size))
    offset = np.zeros((len(boxes), rows))
    with_inputs = any(goal.objective.conjunction.input_matrix is not None for goals in boxes for goal in goals)
    inputs = np.zeros((len(boxes), rows, network.input_size)) if with_inputs else None
    for k, goals in enumerate(boxes):
        count = _row_count(goals)
        outputs[k, :count] = np.concatenate([-goal.objective.conjunction.output_matrix for goal in goals])
        offset[k, :count] = np.concatenate([goal.objective.conjunction.bound for goal in goals])
        part = _input_rows(goals, network.input_size)
        if inputs is not None and part is not None:
            inputs[k, :count] = part.toarray()
    lower = np.stack([goals[0].domain.lower for goals in boxes])
    upper = np.stack([goals[0].domain.upper for goals in boxes])
    bound = bound_rows_over_boxes(network, lower, upper, outputs, inputs, offset, intermediate=level, deadline=deadline)
    for goals, values in zip(boxes, bound, strict=True):
        first = 0
        for goal in goals:
            goal.bounded(values[first : first + goal.objective.rows], level)
            first += goal.objective.rows


def _row_count(goals: Sequence[Goal]) -> int:
    return sum(goal.objective.rows for goal in goals)


def _input_rows(goals: Sequence[Goal], input_size: int) -> sparse.csr_array | None:
    """Return the input parts of all rows, negated, or None when no row mentions an input."""
    if all(goal.objective.conjunction.input_matrix is None for goal in goals):
        return None
    parts: list[sparse.csr_array] = []
    for goal in goals:
        matrix = goal.objective.conjunction.input_matrix
        parts.append(sparse.csr_array((goal.objective.rows, input_size)) if matrix is None else -matrix)
    return sparse.csr_array(sparse.vstack(parts, format="csr"))
