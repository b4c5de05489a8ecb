"""What every search of the native engine is: parts of one domain, split and bounded until the bounds suffice.

A search bounds the largest value of several objectives over one domain. It holds *open parts*: subsets of the domain,
each about one or more objectives, that together with what is closed cover the domain for every objective. Open parts
can be picked up by another search of the same kind, in another process: that is how work is spread and resumed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.proof.trail import SILENT, Trail
from netopt.specification.domain import Domain


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Objectives to be bounded over one domain.

    Attributes
    ----------
    bounds : of the network's pre-activations over the domain, or where some objective exceeds its `left_out`.
    objectives : d of them.
    trail : what searches tell a proof log, where one is asked for.
    device : where torch looks for slopes and multipliers; None for NumPy.
    left_out : (d,) bounds of the objectives wherever `bounds` need not hold; None where they hold all over the domain.
    """

    network: Network
    domain: Domain
    bounds: PreactivationBounds
    objectives: tuple[SlackObjective, ...]
    trail: Trail = SILENT
    device: str | None = None
    left_out: FloatArray | None = None


class Watch(Protocol):
    """How a search and its caller talk. Any thread may call."""

    def enough(self) -> FloatArray:
        """Return (d,) what a bound has to be at most to close an objective; it may rise as points are found."""

    def stopped(self) -> bool:
        """Return whether the search has to end now."""

    def seen(self, objective: int, points: FloatArray) -> None:
        """Hear of members (k, n) of the domain where the objective may be large."""


class OpenParts(Protocol):
    """Parts that are not closed yet; plain arrays, to be pickled."""

    @property
    def count(self) -> int:
        """Number of parts."""

    @property
    def upper(self) -> FloatArray:
        """Proven bounds (count, d): of each objective over each part; -inf where it is closed there."""

    def take(self, which: IntArray | BoolArray | slice) -> Self:
        """Return some of the parts."""

    def then(self, other: Self) -> Self:
        """Return these parts followed by others."""


P = TypeVar("P", bound=OpenParts)


class Search(ABC, Generic[P]):
    """One search; `advance` may be called again and again.

    Attributes
    ----------
    problem, watch : as given.
    trail : the problem's, or that of the process the search goes on in.
    open : the parts that are not closed; another search's may be put there.
    bounded : number of parts bounded so far.
    closed_upper : (d,) the largest bound of each objective over the parts that are closed; +inf once a part had to be
        given up.
    """

    def __init__(self, problem: Problem, watch: Watch, whole: P) -> None:
        self.problem, self.watch, self.open = problem, watch, whole
        self.trail = problem.trail
        self.bounded = 0
        left_out = problem.left_out
        self.closed_upper: FloatArray = (
            np.full(len(problem.objectives), -np.inf) if left_out is None else left_out.copy()
        )

    @property
    def finished(self) -> bool:
        """Whether nothing is left to split."""
        return self.open.count == 0

    @property
    def upper(self) -> FloatArray:
        """Proven upper bounds of the objectives over the whole domain, (d,)."""
        largest: FloatArray = np.maximum(self.closed_upper, self.open.upper.max(axis=0, initial=-np.inf))
        return largest

    @abstractmethod
    def advance(self, deadline: float | None, most: int | None = None) -> None:
        """Go on until nothing is left, the watch says stop, a value of `time.monotonic`, or `most` parts bounded."""
