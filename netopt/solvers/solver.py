"""What an adapter to a MILP solver offers. One adapter a file; vendor modules are imported only there, and lazily."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import SolverResult

#: Called with (objective in the model's sense, point) at every new incumbent.
IncumbentCallback = Callable[[float, FloatArray], None]
#: Called with the dual bound whenever it improved.
BoundCallback = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a solver can take and do.

    Attributes
    ----------
    row_kinds : beyond linear rows: subset of {"sos1", "indicator"}.
    incumbent_callback, interrupt : whether they are supported natively.
    """

    row_kinds: frozenset[str] = frozenset()
    incumbent_callback: bool = False
    interrupt: bool = False


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a solver can be used for a model of some size, and if not, why and what to do."""

    usable: bool
    reason: str = ""


class MilpSolver(ABC):
    """An adapter; concrete ones are frozen dataclasses without state between solves."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name on the command line; adapters set a class attribute."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What the solver can take and do; adapters set a class attribute."""

    @abstractmethod
    def availability(self, model: MilpModel | None = None) -> Availability:
        """Return whether the solver is installed and licensed (for `model`'s size when given)."""

    @abstractmethod
    def version(self) -> str:
        """Return the vendor's version."""

    @abstractmethod
    def solve(
        self,
        model: MilpModel,
        parameters: SolverParameters,
        *,
        start: FloatArray | None = None,
        on_incumbent: IncumbentCallback | None = None,
        on_bound: BoundCallback | None = None,
        interrupt: threading.Event | None = None,
    ) -> SolverResult:
        """Solve `model` in this process.

        Parameters
        ----------
        start : (columns,) a MIP start, or None.
        on_incumbent, on_bound : progress callbacks, called from the solver's thread.
        interrupt : once set, the solve ends soon with `Termination.INTERRUPTED` and the bounds reached.

        Raises
        ------
        SolverUnavailableError, UnsupportedModelError, InvalidOptionError
        """
