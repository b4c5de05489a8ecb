"""The stages of a surrogate solve, under one clock: starts, search, sparse models, local branching, the dense model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.embedding.sparse import SparseOption
from netopt.embedding.surrogate_candidate import Candidate
from netopt.embedding.surrogate_clock import Clock
from netopt.embedding.surrogate_evaluation import Evaluator
from netopt.embedding.surrogate_moves import LocalSearch
from netopt.embedding.surrogate_problem import EmbeddedProblem
from netopt.embedding.surrogate_solution import Incumbent
from netopt.embedding.surrogate_starts import guesses
from netopt.embedding.surrogate_steps import LinearSteps, decisions_row, solve_linear
from netopt.embedding.surrogate_watch import Watch
from netopt.embedding.surrogate_writing import WrittenProblem, write_problem
from netopt.solvers.child import ChildSolver
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import SolverResult

#: Shares of the time for the stages before the dense model.
_START_SHARE, _SEARCH_SHARE, _SPARSE_SHARE, _BRANCHING_SHARE = 0.15, 0.15, 0.2, 0.1
#: Starts, and disturbed points, in a row without a better point after which no more are tried.
_FRUITLESS_STARTS, _FRUITLESS = 3, 10
#: Seconds for one small linear program or feasibility problem.
_SMALL = 10.0
#: Random moves between two descents, at least; at most one a decision. Few stay near the best point, many start anew.
_LEAST_DISTURBANCE = 2
#: Least share of the decisions' ranges, and of the binaries, that strays from the best point; at most all.
_LEAST_STRAY = 0.05
#: Relative difference of two worths below which a disturbed point has led back.
_SAME = 1e-7
#: Share of the dense stage that goes on disturbing and descending; the solver needs the rest.
_WANDERING_SHARE = 0.25
#: Share of the decisions that local branching may change, and least number.
_BRANCHING_REACH, _BRANCHING_LEAST = 0.1, 4
#: Repairs on the dense model with fixed integers: share of the time that is left, and at most so many a stage.
_REPAIR_SHARE, _REPAIRS = 0.05, 3


@dataclass(slots=True, eq=False)
class Stages:
    """What all stages share: the problem, the best true point, and the record of what was done.

    Attributes
    ----------
    problem, dense : the problem, and its exact model.
    solver : runs in child processes.
    parameters : gaps, threads and seed of every solve.
    """

    problem: EmbeddedProblem
    dense: WrittenProblem
    solver: ChildSolver
    parameters: SolverParameters
    clock: Clock
    best: Candidate | None = None
    incumbents: list[Incumbent] = field(default_factory=list)
    record: list[dict[str, Any]] = field(default_factory=list)
    generator: np.random.Generator = field(init=False)
    evaluator: Evaluator = field(init=False)
    steps: LinearSteps = field(init=False)
    search: LocalSearch = field(init=False)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.parameters.seed)
        self.evaluator = Evaluator(self.problem, self.dense.blocks)
        self.steps = LinearSteps(self.evaluator, self.small_solve)
        self.search = LocalSearch(self.evaluator, self.steps.complete, self.generator)

    def small_solve(self, model: MilpModel) -> FloatArray | None:
        """Return the best point found for a small model, None without one."""
        limit = min(_SMALL, self.clock.left)
        if not model.integral.any():
            return solve_linear(model, limit)
        return self.solver.solve(model, replace(self.parameters, time_limit=limit)).point

    def offer(self, found: Candidate, origin: str) -> bool:
        """Keep a point if it is the best so far; return whether it is."""
        if not found.better_than(self.best):
            return False
        self.best = found
        if found.feasible:
            objective = self.problem.sign * found.worth
            self.incumbents.append(Incumbent(self.clock.seconds, objective, origin))
        return True

    def polish(self, found: Candidate, origin: str, stop: Callable[[], bool]) -> Candidate:
        """Return what integer moves and linear steps make of a point; everything better is offered."""
        self.offer(found, origin)
        mixed = self.search.possible and self.evaluator.decisions.size > 0
        while not stop():
            before = found
            if self.search.possible:
                found = self.search.descend(found, stop)
                self.offer(found, f"{origin}, local search")
            if self.evaluator.decisions.size or not found.feasible:
                found = self.steps.improve(found, stop)
                self.offer(found, f"{origin}, linear steps")
            if self._returned(found):
                break
            if mixed and not found.better_than(before):
                found = self.steps.leap(found, stop)
                self.offer(found, f"{origin}, leaps")
            if not found.better_than(before):
                break
        return found

    def _returned(self, found: Candidate) -> bool:
        """Return whether a point is as good as the best one without being it: most likely that one again."""
        best = self.best
        if best is None or found is best or not (found.feasible and best.feasible):
            return False
        return abs(found.worth - best.worth) <= _SAME * max(1.0, abs(best.worth))

    def starts(self, until: float) -> None:
        """Find points from the model without its networks, and improve them."""
        began, found, fruitless = self.clock.seconds, 0, 0
        for guess in guesses(self.steps, self.small_solve, self.generator):
            point, before = guess(), self.best
            if point is not None:
                found += 1
                self.polish(self.steps.judge(point), "start", lambda: self.clock.seconds >= until)
            fruitless = fruitless + 1 if self.best is before else 0
            if fruitless >= _FRUITLESS_STARTS or self.clock.seconds >= until or self.clock.over():
                break
        self._note("start", began, points=found)

    def explore(self, until: float) -> None:
        """Disturb the best point and descend again until that has not helped for a while."""
        began, tried, fruitless = self.clock.seconds, 0, 0

        def late() -> bool:
            return self.clock.seconds >= until or self.clock.over()

        while fruitless < _FRUITLESS and not late():
            before = self.best
            if not self.wander(late):
                break
            tried += 1
            fruitless = fruitless + 1 if self.best is before else 0
        self._note("search", began, points=tried)

    def wander(self, stop: Callable[[], bool]) -> bool:
        """Disturb the best point and descend again; return whether there was anything to do."""
        if self.best is None or not (self.search.possible or self.evaluator.decisions.size):
            return False
        if self.evaluator.decisions.size:  # single moves of integers seldom go where continuous decisions stay
            radius = _LEAST_STRAY ** self.generator.uniform()
            self.polish(self.steps.stray(self.best, radius, self.generator), "strayed", stop)
            return True
        most = max(_LEAST_DISTURBANCE, int(self.problem.linear.integral.sum()))
        strength = round(_LEAST_DISTURBANCE * (most / _LEAST_DISTURBANCE) ** self.generator.uniform())
        self.polish(self.search.disturb(self.best, strength), "local search", stop)
        return True

    def sparse(self, option: SparseOption, until: float) -> None:
        """Solve the model with sparse networks in place; every incumbent is replayed on the dense ones."""
        began = self.clock.seconds
        written = self._written(option)
        origin = f"sparse {option.method}:{option.rate:g}"
        result, replayed = self._watch(written, written.model, origin, until)
        sizes = {"binaries": written.binary_count, "dense_binaries": self.dense.binary_count}
        self._note(
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
        self._note("local branching", began, rounds=rounds)

    def exact(self) -> SolverResult:
        """Solve the dense model from the best point."""
        began = self.clock.seconds
        result, replayed = self._watch(self.dense, self.dense.model, "dense", math.inf, _WANDERING_SHARE)
        self._note("dense", began, binaries=self.dense.binary_count, dual_bound=_finite(result.dual_bound), **replayed)
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

    def _note(self, name: str, began: float, **what: Any) -> None:
        best = None
        if self.best is not None and self.best.feasible:
            best = self.problem.sign * self.best.worth
        self.record.append({"name": name, "seconds": self.clock.seconds - began, "best_objective": best, **what})


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
