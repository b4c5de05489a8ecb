"""How `verify` and `maximize` are to work, checked at the edge: objects where the caller gave names."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from netopt.checks import as_whole, is_positive
from netopt.errors import InvalidOptionError
from netopt.problems.inputs import as_device, as_formulation, as_solver, check_level, check_pair
from netopt.problems.route import Route
from netopt.problems.surrogate.options import RelaxedSurrogate, Surrogate, as_surrogate
from netopt.solvers.parameters import SolverParameters

if TYPE_CHECKING:
    from formulations.formulation import Formulation
    from netopt.engines.branch_and_bound.engine import NativeEngine
    from netopt.engines.branch_and_bound.team import Team
    from netopt.engines.engine import NetworkSolver
    from netopt.network.network import Network
    from netopt.solvers.solver import MilpSolver

#: Formulation of the calls that name none; every solver takes it.
DEFAULT_FORMULATION = "big-m"

_BYTES = 2.0**30
#: Share of the time left, and most seconds, of the native engine where a MILP solver comes after it.
_BEFORE_SOLVER = (0.8, 600.0)
#: Bytes of a call without a memory limit, and the share of a call's bytes that the open parts of one search may take.
_OPEN_BYTES, _OPEN_SHARE = 8.0 * 2**30, 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """Checked settings of one call.

    Solver and formulation are made when they are first asked for: most calls need none.

    Attributes
    ----------
    route : which engines prove.
    asked_solver, asked_formulation, asked_confirm : what the caller gave.
    bounds : level of the pre-activation bounds.
    threads, seed : of every solver.
    isolate : whether solvers run in child processes; those end with `closing`.
    memory : bytes that each process may take, None for no limit.
    surrogate : what is searched in place of, or before, the dense network; None for nothing.
    device : where torch searches for the native engine; None for NumPy.
    """

    route: Route
    asked_solver: MilpSolver | str
    asked_formulation: Formulation | str
    asked_confirm: MilpSolver | str | None
    bounds: str
    threads: int
    seed: int
    isolate: bool
    closing: ExitStack
    memory: float | None = None
    surrogate: Surrogate | RelaxedSurrogate | None = None
    device: str | None = None

    @classmethod
    def checked(
        cls,
        closing: ExitStack,
        *,
        solver: MilpSolver | str,
        formulation: Formulation | str,
        bounds: str,
        threads: int,
        seed: int,
        memory_limit: float | None,
        isolate: bool,
        confirm: MilpSolver | str | None = None,
        prune: Surrogate | RelaxedSurrogate | str | None = None,
        device: str = "cpu",
    ) -> Settings:
        """Return the settings; the child processes they start end with `closing`.

        Raises
        ------
        InputError
            An option is unknown or out of range, or the solver cannot be used or takes no such formulation.
        """
        if memory_limit is not None and not (isolate and is_positive(memory_limit)):
            raise InvalidOptionError(
                f"memory_limit is {memory_limit!r}; give a positive number of GB, and leave isolate on: only a child"
                " process can be limited"
            )
        check_level(bounds)
        surrogate = as_surrogate(prune)
        route, milp = Route.of(solver)
        if surrogate is not None and route is Route.NATIVE:
            raise InvalidOptionError(
                "solver is 'native' and prune is given; pruned networks are searched by a MILP solver: leave solver at"
                " 'auto' or name one"
            )
        settings = cls(
            route=Route.MILP if isinstance(surrogate, RelaxedSurrogate) else route,
            asked_solver=milp,
            asked_formulation=formulation,
            asked_confirm=confirm,
            bounds=bounds,
            threads=as_whole(threads, "threads", 1),
            seed=as_whole(seed, "seed", 0),
            isolate=isolate,
            closing=closing,
            memory=None if memory_limit is None else memory_limit * _BYTES,
            surrogate=surrogate,
            device=as_device(device),
        )
        if route is Route.MILP or confirm is not None or formulation != DEFAULT_FORMULATION:
            settings._check_solvers()
        return settings

    def check_network(self, network: Network) -> None:
        """Refuse a network that the pruned ones asked for are not made of."""
        if isinstance(self.surrogate, Surrogate):
            self.surrogate.require(network)

    def _check_solvers(self) -> None:
        for one in (self.solver, self.confirm):
            if one is not None:
                check_pair(one, self.formulation)

    @cached_property
    def solver(self) -> MilpSolver:
        """The solver of MILPs and LPs, in a child process when the settings say so."""
        return self._isolated(self.asked_solver)

    @cached_property
    def confirm(self) -> MilpSolver | None:
        """The solver that repeats a proof, None for none."""
        return None if self.asked_confirm is None else self._isolated(self.asked_confirm)

    @cached_property
    def formulation(self) -> Formulation:
        """How ReLU layers are written."""
        return as_formulation(self.asked_formulation)

    @property
    def native(self) -> bool:
        """Whether the native engine proves."""
        return self.route is not Route.MILP

    @property
    def asks_solver(self) -> bool:
        """Whether a MILP solver proves what is left."""
        return self.route is not Route.NATIVE

    @property
    def native_share(self) -> tuple[float, float]:
        """Share of the time left, and most seconds, that the native engine gets."""
        return _BEFORE_SOLVER if self.asks_solver else (1.0, math.inf)

    @property
    def open_bytes(self) -> float:
        """Bytes that the open parts of one search of the native engine may take."""
        limit = _OPEN_BYTES if self.memory is None else self.memory
        return _OPEN_SHARE * limit

    @cached_property
    def team(self) -> Team | None:
        """Processes that take part in what the native engine does; None for one thread, or without it."""
        if self.threads == 1 or not self.native:
            return None
        from netopt.engines.branch_and_bound.team import Team
        from netopt.engines.local_processes import LocalProcesses

        others = self.threads - 1
        team = Team(lambda: LocalProcesses(others), others)
        self.closing.callback(team.close)
        return team

    @property
    def native_engine(self) -> NativeEngine:
        """The native engine, for one objective."""
        from netopt.engines.branch_and_bound.engine import NativeEngine

        return NativeEngine(self.open_bytes, self.team, self.device)

    @property
    def engine(self) -> NetworkSolver:
        """The engine that proves and searches with the MILP solver."""
        if isinstance(self.surrogate, RelaxedSurrogate):
            from netopt.engines.relaxed import RelaxedEngine

            rate = self.surrogate.rate
            if rate is None:
                return RelaxedEngine(self.solver, self.formulation)
            return RelaxedEngine.at_rate(self.solver, self.formulation, rate)
        from netopt.engines.milp import MilpEngine

        return MilpEngine(self.solver, self.formulation)

    @property
    def engine_name(self) -> str:
        """What a bound heard of while the engine works rests on; its answer has a name of its own."""
        relaxed = " with relaxed models" if isinstance(self.surrogate, RelaxedSurrogate) else ""
        return f"{self.solver.name} {self.solver.version()}{relaxed}"

    def warm_up(self) -> None:
        """Start the solver's process where it is sure to be asked, so that it loads while this one works."""
        if self.route is not Route.MILP:
            return
        from netopt.solvers.child import ChildSolver

        if isinstance(self.solver, ChildSolver):
            self.solver.prepare()

    @property
    def plain_solver(self) -> MilpSolver:
        """The solver itself, for a step that starts child processes of its own."""
        from netopt.solvers.child import ChildSolver

        return self.solver.inner if isinstance(self.solver, ChildSolver) else self.solver

    @property
    def parameters(self) -> SolverParameters:
        """Parameters every solve starts from."""
        return SolverParameters(threads=self.threads, seed=self.seed)

    def _isolated(self, solver: MilpSolver | str) -> MilpSolver:
        """Return the solver in a child process of this call; a `ChildSolver` stays the caller's own."""
        from netopt.solvers.child import ChildSolver

        chosen = as_solver(solver)
        if not self.isolate or isinstance(chosen, ChildSolver):
            return chosen
        child = ChildSolver(chosen, self.memory)
        self.closing.callback(child.close)
        return child
