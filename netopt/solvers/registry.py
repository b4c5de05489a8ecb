"""The solvers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from netopt.errors import InvalidOptionError
from netopt.solvers.gurobi import Gurobi
from netopt.solvers.highs import Highs
from netopt.solvers.scip import Scip
from netopt.solvers.solver import MilpSolver

#: Name on the command line to a maker of the solver.
SOLVERS: Mapping[str, Callable[[], MilpSolver]] = MappingProxyType({"highs": Highs, "gurobi": Gurobi, "scip": Scip})


def get_solver(name: str) -> MilpSolver:
    """Return the solver called `name`.

    Raises
    ------
    InvalidOptionError
        There is no such solver.

    Examples
    --------
    >>> from netopt.solvers.registry import get_solver
    >>> get_solver("highs")
    Highs()
    """
    if name in SOLVERS:
        return SOLVERS[name]()
    raise InvalidOptionError(f"there is no solver {name!r}; take one of {', '.join(SOLVERS)}")


def available_solvers() -> list[str]:
    """Return the names of the registered solvers that can be used here."""
    return [name for name, make in SOLVERS.items() if make().availability().usable]
