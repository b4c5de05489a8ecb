"""What proves: netopt's own engine, a MILP solver, or one after the other."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from netopt.errors import InvalidOptionError

if TYPE_CHECKING:
    from netopt.solvers.solver import MilpSolver

#: The MILP solver of the routes that name none.
DEFAULT_SOLVER = "highs"


class Route(StrEnum):
    """The engines of a call; the values are names that `solver` takes beside those of MILP solvers."""

    AUTO = "auto"  # the native engine, then a MILP solver for what it leaves
    NATIVE = "native"  # the native engine alone
    MILP = "milp"  # a MILP solver alone: the one that was asked for

    @classmethod
    def of(cls, solver: MilpSolver | str) -> tuple[Route, MilpSolver | str]:
        """Return the route that an option `solver` asks for, and its MILP solver."""
        if isinstance(solver, str) and solver in (cls.AUTO, cls.NATIVE):
            return cls(solver), DEFAULT_SOLVER
        if isinstance(solver, str):
            _check_name(solver)
        return cls.MILP, solver


def _check_name(solver: str) -> None:
    """Refuse a name that is neither a MILP solver's nor a route's, and list both."""
    from netopt.solvers.registry import get_solver

    try:
        get_solver(solver)
    except InvalidOptionError as error:
        raise InvalidOptionError(f"{error}; or auto or native, for netopt's own search") from error
