"""The stages of a surrogate solve, under one clock: starts, search, sparse models, local branching, the dense model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.embedding.sparse import SparseOption
from netopt.embedding.surrogate_candidate import Candidate
from netopt.embedding.surrogate_evaluation import Evaluator
from netopt.embedding.surrogate_search import PointSearch
from netopt.embedding.surrogate_steps import decisions_row
from netopt.embedding.surrogate_watch import Watch
from netopt.embedding.surrogate_writing import WrittenProblem, write_problem
from netopt.solvers.result import SolverResult

#: Shares of the time for the stages before the dense model.
_START_SHARE, _SEARCH_SHARE, _SPARSE_SHARE, _BRANCHING_SHARE = 0.15, 0.15, 0.2, 0.1
#: Share of the dense stage that goes on disturbing and descending; the solver needs the rest.
_WANDERING_SHARE = 0.25
#: Share of the decisions that local branching may change, and least number.
_BRANCHING_REACH, _BRANCHING_LEAST = 0.1, 4
#: Repairs on the dense model with fixed integers: share of the time that is left, and at most so many a stage.
_REPAIR_SHARE, _REPAIRS = 0.05, 3


@dataclass(slots=True, eq=False)
class Stages(PointSearch):
    """The stages that solve models: every incumbent is replayed on the dense networks and improved there."""

    def sparse(self, option: SparseOption, until: float) -> None:
        """Solve the model with sparse networks in place; every incumbent is replayed on the dense ones."""
        began = self.clock.seconds
        written = self._written(option)
        origin = f"sparse {option.method}:{option.rate:g}"
        result, replayed = self._watch(written, written.model, origin, until)
        sizes = {"binaries": written.binary_count, "dense_binaries": self.dense.binary_count}
        self.note(
            origin,
            began,
            **sizes,
            sparse_objective=result.primal_bound,
            sparse_bound=_finite(result.dual_bound),
            **replayed,
        )

    def _written(self, option: SparseOption) -> WrittenProblem:
        """Return the model with sparse networks, which agree with the dense ones at the best point."""
        return write_problem(self.problem, option, None if self.best is None else self.best.point)

    def branch_locally(self, option: SparseOption, until: float) -> None:
        """Solve the sparse model near the best point, again and again while that helps."""
        began, rounds = self.clock.seconds, 0
        while self.best is not None and self.best.feasible and self.clock.seconds < until:
            row, constant = decisions_row(self.problem.linear, self.best.point)
            if not row.nnz:
                break
            reach = max(_BRANCHING_LEAST, round(_BRANCHING_REACH * row.nnz))
            written = self._written(option)
            model = written.with_rows(row, np.array([-np.inf]), np.array([reach - constant]))
            before = self.best
            self._watch(written, model, "local branching", until)
            rounds += 1
            if self.best is before:
                break
        self.note("local branching", began, rounds=rounds)

    def exact(self) -> SolverResult:
        """Solve the dense model from the best point."""
        began = self.clock.seconds
        result, replayed = self._watch(self.dense, self.dense.model, "dense", math.inf, _WANDERING_SHARE)
        self.note("dense", began, binaries=self.dense.binary_count, dual_bound=_finite(result.dual_bound), **replayed)
        return result

    def _watch(
        self,
        written: WrittenProblem,
        model: MilpModel,
        origin: str,
        until: float,
        wandering: float = 1.0,
    ) -> tuple[SolverResult, dict[str, Any]]:
        """Solve a model whose first columns are the linear part; replay and improve its incumbents.

        Parameters
        ----------
        wandering : share of the time that is spent on disturbed points while no incumbent waits.
        """
        began, wandered = self.clock.seconds, 0.0
        limit = min(until - self.clock.seconds, self.clock.left)
        parameters = replace(self.parameters, time_limit=max(0.0, limit) if math.isfinite(limit) else None)
        watch = Watch(self.solver, model, parameters, self._start(written))
        seen = {"incumbents": 0, "true": 0}
        repairs = iter(range(_REPAIRS))

        def late() -> bool:
            return self.clock.seconds >= until or self.clock.over()

        def handle(point: FloatArray) -> None:
            found = self.steps.judge(point[: self.problem.linear.column_count])
            seen["incumbents"] += 1
            seen["true"] += found.feasible
            found = self.polish(found, origin, late)
            if not found.feasible and not late() and next(repairs, None) is not None:
                self._repair(found, origin)

        def idle() -> bool:
            nonlocal wandered
            now = self.clock.seconds
            if wandered > wandering * (now - began):
                return False
            done = self.wander(lambda: watch.news or late())
            wandered += self.clock.seconds - now
            return done

        result = watch.run(handle, idle, late)
        return result, seen

    def _start(self, written: WrittenProblem) -> FloatArray | None:
        """Return the best true point as a start of a model, with the outputs of the networks written there."""
        if self.best is None or not self.best.feasible:
            return None
        if written is self.dense:
            return written.start(self.best.point)
        return written.start(Evaluator(self.problem, written.blocks).evaluate(self.best.point[None]).points[0])

    def _repair(self, found: Candidate, origin: str) -> None:
        """Fix the integers and let the dense model set everything else."""
        linear, model = self.problem.linear, self.dense.model
        fixed = np.flatnonzero(linear.integral)
        lower, upper = model.column_lower.copy(), model.column_upper.copy()
        lower[fixed] = upper[fixed] = found.point[fixed]
        limit = max(0.1, _REPAIR_SHARE * min(self.clock.left, 100.0))
        parameters = replace(self.parameters, time_limit=min(limit, self.clock.left))
        point = self.solver.solve(replace(model, column_lower=lower, column_upper=upper), parameters).point
        if point is not None:
            self.polish(self.steps.judge(point[: linear.column_count]), f"{origin}, repaired", self.clock.over)


def run_stages(stages: Stages, options: Sequence[SparseOption], horizon: float) -> SolverResult | None:
    """Run all stages; return the dense solver's answer, None when there was no time for it.

    Parameters
    ----------
    horizon : seconds the stages before the dense one share out.
    """
    clock = stages.clock
    stages.starts(_START_SHARE * horizon)
    share = _START_SHARE + _SEARCH_SHARE
    stages.explore(share * horizon)
    for k, option in enumerate(options, start=1):
        if not clock.over():
            stages.sparse(option, (share + _SPARSE_SHARE * k / len(options)) * horizon)
    if not clock.over():
        stages.branch_locally(options[-1], (share + _SPARSE_SHARE + _BRANCHING_SHARE) * horizon)
    return None if clock.over() else stages.exact()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
