"""One disjunct of one case, and what is known of its largest t: a proven bound above, a replayed value below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.rows import bound_rows
from netopt.engines.objective import SlackObjective, rows_of
from netopt.network.network import Network
from netopt.solvers.result import Termination
from netopt.specification.collection import collection_paused
from netopt.specification.domain import Domain
from netopt.specification.property import Property

#: A MILP solver proves a disjunct empty when its bound on t is below this: tolerances of solvers are absolute, 1e-6.
SOLVER_MARGIN = -1e-6
#: A solver's bound that lies below a replayed value by more than this, relative to 1 + |value|, is a contradiction.
CONSISTENCY = 1e-5


@dataclass(slots=True, eq=False)
class Goal:
    """A disjunct to satisfy or to prove empty.

    Attributes
    ----------
    case, disjunct : position in the property.
    domain : of the case.
    objective : t as a function of input and output.
    upper : proven bound on t.
    proved_by : what `upper` comes from.
    closed : whether the disjunct is proven empty.
    best : largest t replayed in float64 at a member of the domain.
    best_point : (n,) that member, None before the first replay.
    origin : where that member comes from.
    contradiction : what went wrong where a solver's claim contradicts a replayed point, else empty.
    termination : how the last engine ended on it, None before.
    """

    case: int
    disjunct: int
    domain: Domain
    objective: SlackObjective
    upper: float = np.inf
    proved_by: str = ""
    closed: bool = False
    best: float = -np.inf
    best_point: FloatArray | None = None
    origin: str = ""
    contradiction: str = ""
    termination: Termination | None = None

    @property
    def label(self) -> str:
        """Readable position, counted from 1."""
        return f"case {self.case + 1}, disjunct {self.disjunct + 1}"

    def unproved(self) -> Goal:
        """Return the goal with what was replayed and nothing proven."""
        return Goal(
            self.case,
            self.disjunct,
            self.domain,
            self.objective,
            best=self.best,
            best_point=self.best_point,
            origin=self.origin,
        )

    def replayed(self, value: float, point: FloatArray, origin: str) -> None:
        """Note t at a member of the domain, and where that comes from."""
        if value > self.best:
            self.best, self.best_point, self.origin = value, point, origin

    def bounded(self, row_upper: FloatArray, method: str) -> None:
        """Note outward-rounded upper bounds of each row's slack; one below zero closes the disjunct."""
        value = float((row_upper / self.objective.norm).min())
        if value < self.upper:
            self.upper, self.proved_by = value, method
        if (row_upper < 0.0).any():
            self.closed = True

    def covered(self, upper: float, method: str) -> None:
        """Note an outward-rounded bound on t that covers all parts of the domain."""
        if upper < self.upper:
            self.upper, self.proved_by = upper, method
        self.closed |= upper < 0.0

    def claimed(self, upper: float, method: str) -> None:
        """Note a solver's bound on t, which holds up to the solver's tolerances."""
        if self.best >= 0.0 > upper or self.best > upper + CONSISTENCY * (1.0 + abs(self.best)):
            self.contradiction = (
                f"{method} claims a slack of at most {upper:.9g} for {self.label}, but {self.best:.9g} was replayed"
            )
            return
        if upper < self.upper:
            self.upper, self.proved_by = upper, method
        if upper < SOLVER_MARGIN:
            self.closed = True


def goals_of(prop: Property) -> list[list[Goal]]:
    """Return the goals of a property, one list a case; an empty domain has none."""
    with collection_paused():
        asked = [() if case.domain.is_empty() else case.disjuncts for case in prop.cases]
        objectives = iter(SlackObjective.all_normalised([rows for disjuncts in asked for rows in disjuncts]))
        return [
            [Goal(number, k, case.domain, next(objectives)) for k in range(len(disjuncts))]
            for number, (case, disjuncts) in enumerate(zip(prop.cases, asked, strict=True))
        ]


def bound_goals(
    network: Network, goals: Sequence[Goal], bounds: PreactivationBounds, deadline: float | None = None
) -> None:
    """Bound every row of the goals of one case by CROWN backward from it; `bounds` are over the case's domain.

    Rows that CROWN has not come to by a `deadline`, a value of `time.monotonic`, are bounded by the output's bounds.
    """
    rows = rows_of([goal.objective for goal in goals])
    upper = bound_rows(
        network, goals[0].domain, bounds, rows.output_matrix, rows.input_matrix, rows.offset, deadline=deadline
    )
    first = 0
    for goal in goals:
        goal.bounded(upper[first : first + goal.objective.rows], bounds.level)
        first += goal.objective.rows
