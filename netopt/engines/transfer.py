"""The transfer engine: a sparse network is solved, and its dual bound holds for the dense one.

Prune f to g, bound the differences of their paired neurons, maximise over g an objective that lies above f's
(`netopt.engines.transferred`). The direct bound on f, by CROWN backward from the objective, is computed as well: the
smaller of the two is the answer, and `EngineResult.name` says which.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.crown import crown_bounds
from netopt.bounds.difference import difference_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.rows import bound_rows
from netopt.engines.engine import DualBoundCallback, EngineResult, NetworkSolver, PointCallback
from netopt.engines.objective import SlackObjective
from netopt.engines.transferred import Transferred, bounds_for, transfer
from netopt.network.network import Network
from netopt.pruning.prune import prune
from netopt.reduction.reduce import reduce_network
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.specification.domain import Domain

#: The direct bound's name in results.
DIRECT = "crown"


@dataclass(frozen=True, slots=True)
class TransferEngine:
    """Maximises over a pruned network with an objective that bounds the dense one's.

    Parameters
    ----------
    engine : maximises over the pruned and reduced network.
    method, rate : how the network is pruned; see `netopt.pruning.prune.prune`.
    form : how the objective is carried over, one of `netopt.engines.transferred.FORMS`.
    """

    engine: NetworkSolver
    method: str = "domain-aware"
    rate: float = 0.5
    form: str = "neurons"

    @property
    def name(self) -> str:
        """The inner engine's name and the route to the dense bound."""
        return f"{self.engine.name} on {self.method}:{self.rate:g} plus difference ({self.form})"

    def maximize(
        self,
        network: Network,
        domain: Domain,
        objective: SlackObjective,
        bounds: PreactivationBounds,
        parameters: SolverParameters,
        *,
        start: FloatArray | None = None,
        on_point: PointCallback | None = None,
        on_bound: DualBoundCallback | None = None,
        interrupt: threading.Event | None = None,
    ) -> EngineResult:
        """Maximise `objective`; see `netopt.engines.engine.NetworkSolver`.

        The dual bound holds for `network`. Its gap to the optimum does not vanish with time, as the objective is
        relaxed: an inner proof of optimality that does not close the gap on `network` ends as ``NODE_LIMIT``.
        ``parameters.objective_limit`` is not handed on: values of sparse and dense network do not compare.

        Raises
        ------
        InputError
            The pruning method or rate, the form, or the objective does not fit.
        """
        call = _Call(network, objective, parameters, on_point, on_bound)
        direct = call.direct(domain, bounds)
        if parameters.bound_limit is not None and direct <= parameters.bound_limit:
            return call.result(Termination.BOUND_LIMIT, DIRECT)
        moved, moved_bounds = self._moved(network, domain, objective, bounds, parameters)
        reduction = reduce_network(moved.network, domain, moved_bounds)
        built = call.seconds
        left = None if parameters.time_limit is None else max(0.0, parameters.time_limit - built)
        answer = self.engine.maximize(
            reduction.network,
            domain,
            moved.objective,
            reduction.bounds,
            replace(parameters, time_limit=left, objective_limit=None),
            start=start,
            on_point=call.found,
            on_bound=call.proved,
            interrupt=interrupt,
        )
        if answer.point is not None:
            call.found(answer.point)
        call.proved(answer.dual_bound)
        name = self.name if call.dual < direct else DIRECT
        return replace(
            call.result(call.termination(answer.termination), name),
            build_seconds=built + answer.build_seconds,
            nodes=answer.nodes,
            rows=answer.rows,
            columns=answer.columns,
            binaries=answer.binaries,
            message=answer.message,
        )

    def _moved(
        self,
        network: Network,
        domain: Domain,
        objective: SlackObjective,
        bounds: PreactivationBounds,
        parameters: SolverParameters,
    ) -> tuple[Transferred, PreactivationBounds]:
        """Return the transferred objective, and bounds of the network it is about."""
        deadline = None if parameters.time_limit is None else time.monotonic() + parameters.time_limit
        pruned = prune(network, self.method, self.rate, domain=domain, bounds=bounds, seed=parameters.seed).network
        sparse_bounds = crown_bounds(pruned, domain, deadline=deadline)
        differences = difference_bounds(network, pruned, domain, bounds, sparse_bounds, deadline=deadline)
        moved = transfer(objective, differences, self.form)
        return moved, bounds_for(moved.network, domain, sparse_bounds)


class _Call:
    """What one call has found: the best point on the dense network, the smallest bound."""

    def __init__(
        self,
        network: Network,
        objective: SlackObjective,
        parameters: SolverParameters,
        on_point: PointCallback | None,
        on_bound: DualBoundCallback | None,
    ) -> None:
        self._began = time.monotonic()
        self._network = network
        self._objective = objective
        self._parameters = parameters
        self._on_point = on_point
        self._on_bound = on_bound
        self.dual = np.inf
        self._primal: float | None = None
        self._point: FloatArray | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def direct(self, domain: Domain, bounds: PreactivationBounds) -> float:
        """Return, and note, the bound that CROWN gives on the dense network."""
        rows = self._objective.conjunction
        inputs = None if rows.input_matrix is None else -rows.input_matrix
        upper = bound_rows(self._network, domain, bounds, -rows.output_matrix, inputs, rows.bound)
        self.proved(float((upper / self._objective.norm).min()))
        return self.dual

    def found(self, point: FloatArray) -> None:
        """Replay a point of the sparse network on the dense one."""
        value = float(self._objective.value(point[None], self._network.forward(point)[None])[0])
        if self._primal is None or value > self._primal:
            self._primal, self._point = value, point
        if self._on_point is not None:
            self._on_point(point)

    def proved(self, dual: float) -> None:
        """Note a bound."""
        if dual < self.dual:
            self.dual = dual
            if self._on_bound is not None:
                self._on_bound(dual)

    def termination(self, inner: Termination) -> Termination:
        """Return why the call stopped, given why the inner engine did."""
        if inner is not Termination.OPTIMAL or self._primal is None:
            return inner
        gap = max(self._parameters.absolute_gap, self._parameters.relative_gap * abs(self._primal))
        return Termination.OPTIMAL if self.dual - self._primal <= gap else Termination.NODE_LIMIT

    def result(self, termination: Termination, name: str) -> EngineResult:
        return EngineResult(
            termination=termination,
            dual_bound=self.dual,
            primal_bound=self._primal,
            point=self._point,
            seconds=self.seconds,
            name=name,
        )
