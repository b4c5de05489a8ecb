"""What `solve_with_surrogate` answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from netopt.arrays import FloatArray
from netopt.problems.results import ABSOLUTE_GAP, RELATIVE_GAP, MaximizationStatus


class Incumbent(NamedTuple):
    """A true solution that was the best when it was found.

    Attributes
    ----------
    seconds : since the call began.
    objective : on the true networks.
    origin : where it came from, e.g. ``"sparse domain-aware:0.8"`` or ``"local search"``.
    """

    seconds: float
    objective: float
    origin: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SurrogateSolution:
    """A solution of a model with networks, true on the networks themselves.

    Attributes
    ----------
    status : `optimal` and `infeasible` are proven on the dense model; `feasible` means that the work ended with an open
        gap, `timeout` that the time limit ended it; `unknown` that no solution is known.
    objective : of the best solution, with the dense networks' own float64 answers; None without one.
    dual_bound : proven by the dense model; None where it proved nothing.
    variables : the user's variables, in the model's order (column numbers for highspy).
    values : (variables,) of the best solution; None without one.
    incumbents : the solutions that were the best, in the order they were found.
    stages : what was done: name, seconds, sizes and what each stage saw.
    notices : sentences a reader has to know.
    seconds : wall time of the call.
    """

    status: MaximizationStatus
    objective: float | None
    dual_bound: float | None
    variables: tuple[Any, ...]
    values: FloatArray | None
    incumbents: tuple[Incumbent, ...]
    stages: tuple[dict[str, Any], ...]
    notices: tuple[str, ...]
    seconds: float
    _evaluate: Callable[[Any], float] = field(repr=False)

    @property
    def gap(self) -> float | None:
        """Return |dual - primal| / max(|primal|, 0.01), None where either is unknown."""
        if self.objective is None or self.dual_bound is None:
            return None
        return abs(self.dual_bound - self.objective) / max(abs(self.objective), ABSOLUTE_GAP / RELATIVE_GAP)

    def value(self, entry: Any) -> float:
        """Return the value of a variable or linear expression of the model.

        Raises
        ------
        InputError
            No solution is known, or the entry is not the model's.
        """
        return self._evaluate(entry)
