"""The solvers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from netopt.checks import check_kind
from netopt.errors import InvalidOptionError
from netopt.solvers.gurobi import Gurobi
from netopt.solvers.highs import Highs
from netopt.solvers.pyomo import PyomoSolver
from netopt.solvers.scip import Scip
from netopt.solvers.solver import MilpSolver

#: Name on the command line to a maker of the solver; beside these, "pyomo:NAME" is any solver that Pyomo finds.
SOLVERS: Mapping[str, Callable[[], MilpSolver]] = MappingProxyType(
    {"highs": Highs, "gurobi": Gurobi, "scip": Scip, "pyomo:cbc": partial(PyomoSolver, "cbc")}
)

_PYOMO = "pyomo:"


def get_solver(name: str) -> MilpSolver:
    """Return the solver called `name`: highs, gurobi, scip, or pyomo:NAME with Pyomo's name of a solver.

    Raises
    ------
    InvalidOptionError
        There is no such solver.

    Examples
    --------
    >>> from netopt.solvers.registry import get_solver
    >>> get_solver("highs")
    Highs()
    >>> get_solver("pyomo:glpk").name
    'pyomo:glpk'
    """
    check_kind(name, str, "the solver's name", 'give text such as "highs"')
    if name in SOLVERS:
        return SOLVERS[name]()
    if name.startswith(_PYOMO) and len(name) > len(_PYOMO):
        return PyomoSolver(name.removeprefix(_PYOMO))
    raise InvalidOptionError(f"there is no solver {name!r}; take one of {', '.join(SOLVERS)}, or pyomo:NAME")


def available_solvers() -> list[str]:
    """Return the names of the registered solvers that can be used here."""
    return [name for name, make in SOLVERS.items() if make().availability().usable]
