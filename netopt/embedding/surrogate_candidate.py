"""A whole point on its true networks, and which of two is better."""

from __future__ import annotations

from dataclasses import dataclass

from netopt.arrays import FloatArray
from netopt.embedding.surrogate_evaluation import TOLERANCE, Evaluated

#: A gain below this, relative to the worth where that is above 1, is none.
_LEAST_GAIN = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A whole point.

    Attributes
    ----------
    point : (columns,) of the linear part.
    violation : see `Evaluated`.
    worth : sign * objective.
    """

    point: FloatArray
    violation: float
    worth: float

    @property
    def feasible(self) -> bool:
        """Whether the point satisfies the model with its true networks."""
        return self.violation <= TOLERANCE

    def better_than(self, other: Candidate | None) -> bool:
        """Return whether this is feasible and the other not, less infeasible, or worth more."""
        if other is None:
            return True
        if self.feasible and other.feasible:
            return self.worth > other.worth + _LEAST_GAIN * max(1.0, abs(other.worth))
        if self.feasible or other.feasible:
            return self.feasible
        return self.violation < other.violation * (1.0 - 1e-6)


def candidate(evaluated: Evaluated, index: int) -> Candidate:
    """Return one point of a batch."""
    return Candidate(evaluated.points[index], float(evaluated.violation[index]), float(evaluated.worth[index]))
