"""The best true point of a surrogate solve, and the stages that improve it without a large model: starts and search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.embedding.surrogate_candidate import Candidate
from netopt.embedding.surrogate_clock import Clock
from netopt.embedding.surrogate_evaluation import Evaluator
from netopt.embedding.surrogate_moves import LocalSearch
from netopt.embedding.surrogate_problem import EmbeddedProblem
from netopt.embedding.surrogate_solution import Incumbent
from netopt.embedding.surrogate_starts import guesses
from netopt.embedding.surrogate_steps import LinearSteps, solve_linear
from netopt.embedding.surrogate_writing import WrittenProblem
from netopt.solvers.child import ChildSolver
from netopt.solvers.parameters import SolverParameters

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


@dataclass(slots=True, eq=False)
class PointSearch:
    """The problem and the best true point, which all stages share, and the stages that only move points.

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
        self.note("start", began, points=found)

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
        self.note("search", began, points=tried)

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

    def note(self, name: str, began: float, **what: Any) -> None:
        """Record a stage that began at a time of the clock."""
        best = None
        if self.best is not None and self.best.feasible:
            best = self.problem.sign * self.best.worth
        self.record.append({"name": name, "seconds": self.clock.seconds - began, "best_objective": best, **what})
