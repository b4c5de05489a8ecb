"""Rows of which the bounds are to be lowered, as a descent begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netopt.arrays import BoolArray
from netopt.bounds.parts import SingleArray


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Rows as a descent begins.

    Attributes
    ----------
    fixed : name of a node (or `INPUT`) -> coefficients (p, size).
    constant, target : (p,); a row is done once its bound is at most the target.
    output_rows, input_rows, offset : (p, width, m), (p, width, n) or None, (p, width): the rows with weights theta.
    simplex : whether the weights of a row sum to one.
    scale : (p,) the size of weights off the simplex.
    """

    fixed: Mapping[str, SingleArray]
    constant: SingleArray
    target: SingleArray
    output_rows: SingleArray
    input_rows: SingleArray | None
    offset: SingleArray
    simplex: bool
    scale: SingleArray

    def take(self, which: BoolArray) -> Start:
        """Return some of the rows."""
        return Start(
            {name: value[which] for name, value in self.fixed.items()},
            self.constant[which],
            self.target[which],
            self.output_rows[which],
            None if self.input_rows is None else self.input_rows[which],
            self.offset[which],
            self.simplex,
            self.scale[which],
        )
