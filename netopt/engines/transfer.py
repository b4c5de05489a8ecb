"""The transfer engine: a sparse network is solved, and its dual bound holds for the dense one.

Prune f to g, bound the differences of their paired neurons, maximise over g an objective that lies above f's
(`netopt.engines.transferred`). The direct bound on f, by CROWN backward from the objective, is computed as well: the
smaller of the two is the answer, and `EngineResult.name` says which.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from netopt.bounds.crown import crown_bounds
from netopt.bounds.difference import difference_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.rows import bound_rows
from netopt.engines.attempt import Attempt
from netopt.engines.engine import EngineResult, Maximization, NetworkSolver
from netopt.engines.objective import rows_of
from netopt.engines.transferred import Transferred, bounds_for, transfer
from netopt.pruning.prune import prune
from netopt.reduction.reduce import reduce_network
from netopt.solvers.result import Termination

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

    def maximize(self, problem: Maximization) -> EngineResult:
        """See `netopt.engines.engine.NetworkSolver`.

        The dual bound holds for `network`. Its gap to the optimum does not vanish with time, as the objective is
        relaxed: an inner proof of optimality that does not close the gap on `network` ends as ``NODE_LIMIT``.
        ``problem.parameters.objective_limit`` is not handed on: values of sparse and dense network do not compare.

        Raises
        ------
        InputError
            The pruning method or rate, the form, or the objective does not fit.
        """
        attempt = Attempt(problem)
        direct = _direct(attempt)
        limit = problem.parameters.bound_limit
        if limit is not None and direct <= limit:
            return attempt.result(Termination.BOUND_LIMIT, DIRECT)
        moved, moved_bounds = self._moved(attempt)
        reduction = reduce_network(moved.network, problem.domain, moved_bounds)
        built = attempt.spent
        answer = self.engine.maximize(
            replace(
                problem,
                network=reduction.network,
                objective=moved.objective,
                bounds=reduction.bounds,
                parameters=replace(attempt.left(attempt.remaining), objective_limit=None),
                on_point=lambda point: attempt.seen(point[None]),
                on_bound=attempt.proved,
            )
        )
        if answer.point is not None:
            attempt.seen(answer.point[None])
        attempt.proved(answer.dual_bound)
        return replace(
            answer,
            termination=_termination(attempt, answer.termination),
            dual_bound=attempt.dual,
            primal_bound=None if attempt.point is None else attempt.value,
            point=attempt.point,
            seconds=attempt.spent,
            build_seconds=built + answer.build_seconds,
            name=self.name if attempt.dual < direct else DIRECT,
        )

    def _moved(self, attempt: Attempt) -> tuple[Transferred, PreactivationBounds]:
        """Return the transferred objective, and bounds of the network it is about."""
        problem, deadline = attempt.problem, attempt.deadline
        network, domain, bounds, seed = problem.network, problem.domain, problem.bounds, problem.parameters.seed
        pruned = prune(network, self.method, self.rate, domain=domain, bounds=bounds, seed=seed).network
        sparse_bounds = crown_bounds(pruned, domain, deadline=deadline)
        differences = difference_bounds(network, pruned, domain, bounds, sparse_bounds, deadline=deadline)
        moved = transfer(problem.objective, differences, self.form)
        return moved, bounds_for(moved.network, domain, sparse_bounds)


def _direct(attempt: Attempt) -> float:
    """Return, and note, the bound that CROWN gives on the dense network."""
    problem = attempt.problem
    rows = rows_of([problem.objective])
    upper = bound_rows(
        problem.network, problem.domain, problem.bounds, rows.output_matrix, rows.input_matrix, rows.offset
    )
    attempt.proved(float((upper / rows.norm).min()))
    return attempt.dual


def _termination(attempt: Attempt, inner: Termination) -> Termination:
    """Return why the call stopped, given why the inner engine did."""
    if inner is not Termination.OPTIMAL or attempt.point is None or attempt.ended() is Termination.OPTIMAL:
        return inner
    return Termination.NODE_LIMIT
