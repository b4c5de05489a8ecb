"""What one search over one domain tells a proof log: how parts were split, and what closed them.

Parts are numbered, `Trail.whole` gives the first numbers. A search keeps the number of each open part beside it and
hands the numbers in where it splits or closes parts. Numbers of another process's trail (`fork`) never collide,
so that trails can be joined. Where no proof is asked for, a search is given `SILENT`, which does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from netopt.arrays import FloatArray, IntArray

#: Numbers that one process may give away.
_RANGE = 2**32


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """Parts cut in two: ``x[axis] <= value`` and ``x[axis] >= value``, or a ReLU active and inactive.

    Attributes
    ----------
    parent, first, second : (k,) numbers of the parts.
    variable : (k,) the axis, or ``-1 - neuron`` with the neurons of all ReLUs side by side.
    value : (k,) where an axis is cut; 0 for a ReLU.
    """

    parent: IntArray
    first: IntArray
    second: IntArray
    variable: IntArray
    value: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """Parts over which objectives are closed.

    Attributes
    ----------
    part, objective : (k,).
    weights : (k, rows) not negative: the combination of the objective's normalised rows that is negative there, zeros
        behind the last row; None where a single row does.
    slope : (k, columns) of the lines below the ReLUs, NaN or None for the usual ones.
    multiplier : (k, columns), float32 or float64, of the phases that are fixed, None for zeros.
    neurons : (columns,) the neurons, of all ReLUs side by side, that slopes and multipliers are about, ascending.
    """

    part: IntArray
    objective: IntArray
    weights: FloatArray | None
    slope: NDArray[np.float32] | None
    multiplier: NDArray[np.floating] | None
    neurons: IntArray


@dataclass(slots=True, eq=False)
class Trail:
    """The tree of one search.

    Attributes
    ----------
    roots : numbers of the parts that are the whole domain.
    silent : whether nothing is written down, so that what is costly need not be gathered.
    splits, leaves : what was told, in the order of the calls.
    """

    roots: list[int] = field(default_factory=list)
    silent: bool = False
    splits: list[Splits] = field(default_factory=list)
    leaves: list[Leaves] = field(default_factory=list)
    _next: int = 0
    _forks: int = 0

    def whole(self, count: int = 1) -> IntArray:
        """Return numbers (count,) of as many copies of the whole domain, each to be split by itself."""
        numbers = self._new(count)
        self.roots += numbers.tolist()
        return numbers

    def split_axis(self, part: IntArray, axis: IntArray, value: FloatArray) -> IntArray:
        """Note boxes (k,) cut at ``x[axis] = value``; return the numbers (2k,) of the lower parts, then the upper."""
        return self._split(part, axis, value)

    def split_phase(self, part: IntArray, neuron: IntArray) -> IntArray:
        """Note parts (k,) split at a ReLU; return the numbers (2k,) of the active parts, then the inactive ones."""
        return self._split(part, -1 - np.asarray(neuron, dtype=np.int64), np.zeros(len(part)))

    def close(
        self,
        part: IntArray,
        objective: IntArray,
        *,
        weights: FloatArray | None = None,
        slope: FloatArray | NDArray[np.float32] | None = None,
        multiplier: FloatArray | NDArray[np.float32] | None = None,
        neurons: IntArray | None = None,
    ) -> None:
        """Note that objectives (k,) are closed over parts (k,), and by what: see `Leaves`.

        Parameters
        ----------
        neurons : what the columns of `slope` and `multiplier` are about; needed with one of these.
        """
        if len(part):
            self.leaves.append(
                Leaves(
                    _numbers(part),
                    _numbers(objective),
                    None if weights is None else np.array(weights, dtype=np.float64),
                    None if slope is None else slope.astype(np.float32),
                    None if multiplier is None else multiplier.copy(),
                    np.empty(0, dtype=np.int64) if neurons is None else neurons,
                )
            )

    def fork(self) -> Trail:
        """Return an empty trail for another process; parts keep their numbers there."""
        self._forks += 1
        return Trail(_next=self._forks * _RANGE)

    def join(self, other: Trail) -> None:
        """Take over what a forked trail was told."""
        self.splits += other.splits
        self.leaves += other.leaves

    def _split(self, part: IntArray, variable: IntArray, value: FloatArray) -> IntArray:
        both = self._new(2 * len(part))
        first, second = both[: len(part)], both[len(part) :]
        self.splits.append(Splits(_numbers(part), first, second, _numbers(variable), value.copy()))
        return both

    def _new(self, count: int) -> IntArray:
        numbers = np.arange(self._next, self._next + count, dtype=np.int64)
        self._next += count
        return numbers


class _SilentTrail(Trail):
    """A trail that forgets everything at once."""

    __slots__ = ()

    def whole(self, count: int = 1) -> IntArray:
        return self._new(count)

    def fork(self) -> Trail:
        return self

    def join(self, other: Trail) -> None:
        return

    def close(
        self,
        part: IntArray,
        objective: IntArray,
        *,
        weights: FloatArray | None = None,
        slope: FloatArray | NDArray[np.float32] | None = None,
        multiplier: FloatArray | NDArray[np.float32] | None = None,
        neurons: IntArray | None = None,
    ) -> None:
        return

    def _split(self, part: IntArray, variable: IntArray, value: FloatArray) -> IntArray:
        return np.zeros(2 * len(part), dtype=np.int64)

    def _new(self, count: int) -> IntArray:
        return np.zeros(count, dtype=np.int64)


#: For searches whose proof nobody asked for.
SILENT: Trail = _SilentTrail(silent=True)


def _numbers(values: IntArray) -> IntArray:
    return np.array(values, dtype=np.int64)
