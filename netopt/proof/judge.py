r"""Whether a disjunct is closed over parts: boxes on which the phases of some ReLUs are fixed.

A disjunct asks for an x with every slack ``b_i - A_i x - B_i f(x) >= 0``. Over a part where ``s_j z_j(x) >= 0`` for the
fixed neurons j it has none if, for some ``lambda, beta >= 0``,

.. math:: \sum_i \lambda_i (b_i - A_i x - B_i f(x)) + \sum_j \beta_j s_j z_j(x) < 0 \quad \text{for all } x,

since where it had one the left side would not be negative. The left side is bounded from above by `carry`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import FloatArray, IntArray
from netopt.network.nodes import Relu
from netopt.proof.carry import Rows, Sizes, carry, join
from netopt.proof.enclosure import Enclosure
from netopt.proof.lines import Lines, lines_of


@dataclass(frozen=True, slots=True, eq=False)
class Hints:
    """What is known of the part of every row; every array has one row a row, or is None.

    Attributes
    ----------
    phase : (p, neurons), the neurons of all ReLUs side by side: 1 active, -1 inactive, 0 not fixed.
    slope : (p, neurons) of the lines below; NaN for the usual one.
    multiplier : (p, neurons) beta.
    """

    phase: NDArray[np.int8] | None = None
    slope: FloatArray | None = None
    multiplier: FloatArray | None = None

    def take(self, which: IntArray) -> Hints:
        """Return the hints of some rows."""
        return Hints(
            None if self.phase is None else self.phase[which],
            None if self.slope is None else self.slope[which],
            None if self.multiplier is None else self.multiplier[which],
        )


@dataclass(frozen=True, slots=True, eq=False)
class LinesOfRows:
    """Lines for the bounds of a region and the hints of a row."""

    enclosure: Enclosure
    owner: IntArray | None
    hints: Hints
    columns: dict[str, slice]

    def __call__(self, relu: Relu) -> Lines:
        lower, upper = self.enclosure.lower[relu.input], self.enclosure.upper[relu.input]
        if self.owner is not None:
            lower, upper = lower[self.owner], upper[self.owner]
        column = self.columns[relu.name]
        phase = None if self.hints.phase is None else self.hints.phase[:, column]
        slope = None if self.hints.slope is None else self.hints.slope[:, column]
        if slope is not None:
            slope = np.where(np.isnan(slope), upper > -lower, slope)
        return lines_of(lower, upper, phase, slope)


def multiplied(hints: Hints, column: slice) -> FloatArray | None:
    """Return the coefficients ``beta_j s_j`` (p, size) of a Relu's inputs; None where all are zero."""
    if hints.multiplier is None or hints.phase is None:
        return None
    added: FloatArray = hints.multiplier[:, column] * hints.phase[:, column]
    return added if added.any() else None


def carried(enclosure: Enclosure, rows: Rows, owner: IntArray | None, hints: Hints) -> Rows:
    """Return rows, with the multiplied phases added, over the inputs; `owner` names the regions, None the only one."""
    columns = enclosure.network.relu_columns
    sizes: Sizes = enclosure.sizes(owner)
    for relu in enclosure.network.relus:
        added = multiplied(hints, columns[relu.name])
        if added is not None:
            join(rows, relu.input, added, sizes)
    return carry(enclosure.network, rows, sizes, LinesOfRows(enclosure, owner, hints, columns))
