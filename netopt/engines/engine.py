"""What every engine is asked and answers: a `SlackObjective` maximised over a domain, with a proven bound."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from netopt.arrays import FloatArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.specification.domain import Domain

#: Called with the input (n,) of every incumbent; the caller replays it, the engine's own objective value is not passed.
PointCallback = Callable[[FloatArray], None]
#: Called with the upper bound of the objective whenever it improved.
DualBoundCallback = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Maximization:
    """What an engine is asked: the largest value of `objective` over the outputs of `network` on `domain`.

    Attributes
    ----------
    bounds : bounds of the pre-activations over `domain` (or a superset of it).
    parameters : limits of the call; the time limit covers building.
    start : (n,) a member of the domain to start from.
    on_point, on_bound : progress, possibly called from another thread.
    interrupt : once set, the call ends soon with the bounds reached.
    """

    network: Network
    domain: Domain
    objective: SlackObjective
    bounds: PreactivationBounds
    parameters: SolverParameters = field(default_factory=SolverParameters)
    start: FloatArray | None = field(default=None, kw_only=True)
    on_point: PointCallback | None = field(default=None, kw_only=True)
    on_bound: DualBoundCallback | None = field(default=None, kw_only=True)
    interrupt: threading.Event | None = field(default=None, kw_only=True)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EngineResult:
    """What an engine found.

    Attributes
    ----------
    termination : why it stopped.
    dual_bound : proven upper bound of the objective over the domain, up to the engine's tolerances; inf if unknown.
    primal_bound : the engine's own value at `point`, up to its tolerances; None without one. Replay before use.
    point : (n,) input of the incumbent, None without one.
    seconds : wall time, building included.
    build_seconds : the part of it spent on the model.
    nodes : branch-and-bound nodes.
    rows, columns, binaries : size of the model, 0 for an engine without one.
    name : engine and its version.
    message : the vendor's own status.
    """

    termination: Termination
    dual_bound: float
    primal_bound: float | None
    point: FloatArray | None
    seconds: float
    build_seconds: float = 0.0
    nodes: int = 0
    rows: int = 0
    columns: int = 0
    binaries: int = 0
    name: str = ""
    message: str = ""


class NetworkSolver(Protocol):
    """An engine. Concrete ones are frozen dataclasses without state between calls."""

    @property
    def name(self) -> str:
        """Name in results."""

    def maximize(self, problem: Maximization) -> EngineResult:
        """Solve a problem as far as its limits allow."""
