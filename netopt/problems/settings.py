"""How `verify` and `maximize` are to work, checked at the edge: objects where the caller gave names."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass

from formulations.formulation import Formulation
from netopt.engines.branch_and_bound.engine import NativeEngine
from netopt.engines.engine import NetworkSolver
from netopt.engines.milp import MilpEngine
from netopt.engines.relaxed import RelaxedEngine
from netopt.errors import InvalidOptionError
from netopt.problems.inputs import as_formulation, as_solver, check_level, check_pair
from netopt.problems.route import Route
from netopt.problems.surrogate.options import RelaxedSurrogate, Surrogate, as_surrogate
from netopt.solvers.child import ChildSolver
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.solver import MilpSolver

_BYTES = 2.0**30
#: Share of the time left, and most seconds, of the native engine where a MILP solver comes after it.
_BEFORE_SOLVER = (0.8, 600.0)
#: Bytes of a call without a memory limit, and the share of a call's bytes that the open parts of one search may take.
_OPEN_BYTES, _OPEN_SHARE = 8.0 * 2**30, 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Checked settings of one call.

    Attributes
    ----------
    route : which engines prove.
    solver : of MILPs and LPs; runs in a child process when `isolate` was asked for.
    formulation : how ReLU layers are written.
    bounds : level of the pre-activation bounds.
    threads, seed : of every solver.
    memory : bytes that each process may take, None for no limit.
    confirm : solver that repeats a proof, None for none.
    surrogate : what is searched in place of, or before, the dense network; None for nothing.
    """

    route: Route
    solver: MilpSolver
    formulation: Formulation
    bounds: str
    threads: int
    seed: int
    memory: float | None = None
    confirm: MilpSolver | None = None
    surrogate: Surrogate | RelaxedSurrogate | None = None

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
    ) -> Settings:
        """Return the settings; the child processes they start end with `closing`.

        Raises
        ------
        InputError
            An option is unknown or out of range, or the solver cannot be used or takes no such formulation.
        """
        if threads < 1:
            raise InvalidOptionError(f"threads is {threads}; give at least 1")
        if memory_limit is not None and not (isolate and memory_limit > 0.0):
            raise InvalidOptionError(
                f"memory_limit is {memory_limit!r}; give a positive number of GB, and leave isolate on: only a child"
                " process can be limited"
            )
        check_level(bounds)
        surrogate = as_surrogate(prune)
        form = as_formulation(formulation)
        route, milp = Route.of(solver)
        if surrogate is not None and route is Route.NATIVE:
            raise InvalidOptionError(
                "solver is 'native' and prune is given; pruned networks are searched by a MILP solver: leave solver at"
                " 'auto' or name one"
            )
        solvers = [as_solver(name) for name in (milp, confirm) if name is not None]
        for one in solvers:
            check_pair(one, form)
        most = None if memory_limit is None else memory_limit * _BYTES
        if isolate:
            solvers = [_isolated(one, most, closing) for one in solvers]
        return cls(
            route=Route.MILP if isinstance(surrogate, RelaxedSurrogate) else route,
            solver=solvers[0],
            formulation=form,
            bounds=bounds,
            threads=threads,
            seed=seed,
            memory=most,
            confirm=solvers[1] if len(solvers) > 1 else None,
            surrogate=surrogate,
        )

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

    @property
    def native_engine(self) -> NativeEngine:
        """The native engine, for one objective."""
        return NativeEngine(self.open_bytes)

    @property
    def engine(self) -> NetworkSolver:
        """The engine that proves and searches with the MILP solver."""
        if isinstance(self.surrogate, RelaxedSurrogate):
            rate = self.surrogate.rate
            if rate is None:
                return RelaxedEngine(self.solver, self.formulation)
            return RelaxedEngine.at_rate(self.solver, self.formulation, rate)
        return MilpEngine(self.solver, self.formulation)

    @property
    def engine_name(self) -> str:
        """What a bound heard of while the engine works rests on; its answer has a name of its own."""
        relaxed = " with relaxed models" if isinstance(self.surrogate, RelaxedSurrogate) else ""
        return f"{self.solver.name} {self.solver.version()}{relaxed}"

    def warm_up(self) -> None:
        """Start the solver's process where it is sure to be asked, so that it loads while this one works."""
        if self.route is Route.MILP and isinstance(self.solver, ChildSolver):
            self.solver.prepare()

    @property
    def plain_solver(self) -> MilpSolver:
        """The solver itself, for a step that starts child processes of its own."""
        return self.solver.inner if isinstance(self.solver, ChildSolver) else self.solver

    @property
    def parameters(self) -> SolverParameters:
        """Parameters every solve starts from."""
        return SolverParameters(threads=self.threads, seed=self.seed)


def _isolated(solver: MilpSolver, memory_limit: float | None, closing: ExitStack) -> MilpSolver:
    """Return the solver in a child process of this call; a `ChildSolver` stays the caller's own."""
    if isinstance(solver, ChildSolver):
        return solver
    child = ChildSolver(solver, memory_limit)
    closing.callback(child.close)
    return child
