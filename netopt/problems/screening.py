"""Disjuncts closed by bounds alone, over thousands of boxes at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.boxes import BoxBounds
from netopt.bounds.objectives import Objectives
from netopt.bounds.precision import DOUBLE, SINGLE
from netopt.engines.branch_and_bound.box_evaluation import over_norm
from netopt.engines.branch_and_bound.team import Package, Team, processes, side_by_side
from netopt.engines.objective import rows_of
from netopt.network.network import Network
from netopt.problems.goal import Goal
from netopt.problems.run import Run
from netopt.specification.box import Box

#: Most boxes bounded at once, and bytes of their values of one layer.
_BLOCK, _BYTES = 512, 2**22


def screen_boxes(network: Network, cases: Iterable[Sequence[Goal]], run: Run, team: Team | None = None) -> None:
    """Bound the goals of many box cases, many at once: by interval layers, by CROWN, by CROWN in float64.

    Parameters
    ----------
    team : processes that take part as soon as they are ready.
    """
    open_cases = [goals for goals in cases if type(goals[0].domain) is Box]
    widest = max(network.input_size, *(node.size for node in network.nodes))
    size = int(np.clip(_BYTES // (8 * widest), 1, _BLOCK))
    for precision, level in ((SINGLE, "interval"), (SINGLE, "crown"), (DOUBLE, "crown")):
        open_cases = [left for goals in open_cases if (left := [goal for goal in goals if not goal.closed])]
        package = Package(_Screen(BoxBounds(network, precision), level))
        blocks = [open_cases[first : first + size] for first in range(0, len(open_cases), size)]
        while blocks:
            run.check()
            count = processes(team)
            together, blocks = blocks[:count], blocks[count:]
            _screen(package, together, run, team)


@dataclass(frozen=True, slots=True, eq=False)
class _Screen:
    """What boxes are bounded by."""

    bounds: BoxBounds
    level: str


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Some boxes (k, n), the rows of their goals, and the box of each row."""

    lower: FloatArray
    upper: FloatArray
    rows: Objectives
    box: IntArray

    @classmethod
    def of(cls, cases: Sequence[Sequence[Goal]]) -> _Block:
        rows = rows_of([goal.objective for goals in cases for goal in goals])
        box = np.repeat(np.arange(len(cases)), [len(goals) for goals in cases])
        lower = np.stack([goals[0].domain.lower for goals in cases])
        upper = np.stack([goals[0].domain.upper for goals in cases])
        return cls(lower, upper, rows, box[rows.owner])


def _screen(package: Package[_Screen], blocks: Sequence[Sequence[Sequence[Goal]]], run: Run, team: Team | None) -> None:
    """Bound the goals of one block in this process, of the others in those of the team."""
    screen = package.value
    first, *others = [_Block.of(cases) for cases in blocks]
    own, answers = side_by_side(
        team, _bound_block, package, others, own=lambda: _bound_block(screen, first), stopped=run.halt.is_set
    )
    upper = [own]
    for block, answer in zip(others, answers, strict=True):
        run.check()
        upper.append(_bound_block(screen, block) if answer is None else answer)
    for cases, found in zip(blocks, upper, strict=True):
        for goal, bound in zip([goal for goals in cases for goal in goals], found.tolist(), strict=True):
            goal.covered(bound, screen.level)


def _bound_block(screen: _Screen, block: _Block) -> FloatArray:
    """Return a bound of each goal of a block."""
    rows = block.rows
    boxes = screen.bounds.over(block.lower, block.upper, intermediate=screen.level == "crown")
    inputs = None if rows.input_matrix is None else rows.input_matrix.toarray()
    found = boxes.functions(rows.output_matrix, inputs, block.box)
    value = over_norm(found.bound, rows.offset, rows.norm)
    smallest: FloatArray = np.minimum.reduceat(value, np.flatnonzero(np.diff(rows.owner, prepend=-1)))
    return smallest
