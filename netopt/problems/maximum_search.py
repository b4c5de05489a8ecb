"""The steps of `maximize`: sample, climb, bound, relax, branch, solve; what is known survives every one of them."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from netopt.arrays import FloatArray
from netopt.attack.objective import SlackBatch
from netopt.attack.portfolio import portfolio
from netopt.attack.relaxed_start import relaxed_starts
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.rows import bound_rows
from netopt.engines.engine import EngineResult, Maximization, NetworkSolver
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.problems.bracket import Bracket
from netopt.problems.goal import Goal
from netopt.problems.inputs import as_network, as_weights
from netopt.problems.preparation import BoundsOfCases
from netopt.problems.proving import BROKEN, summary
from netopt.problems.results import ABSOLUTE_GAP
from netopt.problems.run import Progress, ProgressCallback, Run
from netopt.problems.settings import Settings
from netopt.problems.surrogate.incumbent import MaximumIncumbent
from netopt.problems.surrogate.ladder import Ladder
from netopt.problems.surrogate.options import Surrogate
from netopt.problems.surrogate.polish import Polisher
from netopt.problems.surrogate.portfolio import Portfolio
from netopt.solvers.result import Termination
from netopt.specification.domain import Domain
from netopt.specification.fit import check_fit

#: Most seconds of the climb before any bound, and of the one before the solver.
_FIRST_CLIMB, _SECOND_CLIMB = 0.5, 2.0
#: Up to this many unstable ReLUs the solver is asked at once: its root is the relaxation, and soon solved.
_SMALL = 300
#: Share of the time left that the relaxation may take; the solver meets it again at its root.
_RELAXATION_SHARE = 0.3
#: The same as the first rung of a ladder.
_CHEAP_SHARE = 0.1
#: Share of the time left, and most seconds, that heuristics get alone before the dense network of a ladder is solved.
_HEURISTICS_SHARE, _HEURISTICS_SECONDS = 0.6, 120.0
#: Members of the domain that are tried first.
_SAMPLES = 256


@dataclass(slots=True)
class MaximumSearch:
    """The steps of one call, in order; each raises `HaltedError` once the call has to end.

    Everything inside is a maximum; `sign` turns it into the caller's sense.
    """

    run: Run
    settings: Settings
    progress: ProgressCallback | None
    domain: Domain
    sign: float
    gap: float
    network: Network | None = None
    weights: FloatArray = field(default_factory=lambda: np.empty(0))
    bracket: Bracket | None = None
    empty: bool = False

    def work(self, network: Any, weights: ArrayLike | None, output: int | None) -> None:
        """Do everything; the state tells what was found."""
        with self.run.stage("read") as record:
            read = as_network(network, logits=False)
            self.settings.check_network(read)
            check_fit(read, self.domain)
            self.weights = as_weights(read, weights, output)
            self.network = read
            record |= {"relus": read.relu_count}
            self.empty = self.domain.is_empty()
        if self.empty:
            self.run.note("the domain is empty")
            return
        objective = SlackObjective.linear(self.sign * self.weights)
        bracket = self.bracket = Bracket(read, self.domain, objective, self.gap)
        bounds = BoundsOfCases(read, self.settings, self.run)
        goal = Goal(0, 0, self.domain, objective)
        generator = np.random.default_rng(self.settings.seed)
        if read.relus:
            self.settings.warm_up()
        self._sample(bracket, generator)
        self._climb(bracket, generator, _FIRST_CLIMB, rounds=1)
        self._bound(bracket, bounds, goal)
        if bracket.closed:
            return
        if isinstance(self.settings.surrogate, Surrogate):
            self._search_pruned(self.settings.surrogate, bracket, bounds, goal, generator)
            return
        if bounds.quick(goal).unstable_count > _SMALL:
            share = _CHEAP_SHARE if self.settings.native else _RELAXATION_SHARE
            relaxed = self._relax(bracket, bounds, goal, share)
            self._climb(bracket, generator, _SECOND_CLIMB, rounds=4, start=relaxed)
        if self.settings.native and not bracket.closed:
            self._branch(bracket, bounds, goal)
        if self.settings.asks_solver and not bracket.closed:
            self._solve(bracket, bounds, goal)

    def _sample(self, bracket: Bracket, generator: np.random.Generator) -> None:
        with self.run.stage("sample"):
            bracket.offer(self.domain.center[None], "sample")
            self.run.check()
            bracket.offer(self.domain.sample(generator, _SAMPLES), "sample")
        self._report("sample")

    def _climb(
        self,
        bracket: Bracket,
        generator: np.random.Generator,
        most: float,
        rounds: int,
        start: FloatArray | None = None,
    ) -> None:
        """Climb from the best point known, from `start` and from random ones."""
        starts = [point for point in (bracket.point, start) if point is not None]
        with self.run.stage("ascent") as record:
            found = portfolio(
                bracket.network,
                self.domain,
                SlackBatch.linear(self.sign * self.weights),
                generator=generator,
                deadline=time.monotonic() + self.run.share(0.1, most),
                starts=np.array(starts) if starts else None,
                interrupt=self.run.halt,
                rounds=rounds,
            )
            record |= {"improved": bracket.offer(found.points, "ascent")}
        self._report("ascent")

    def _bound(self, bracket: Bracket, bounds: BoundsOfCases, goal: Goal) -> None:
        """Bound the objective by CROWN backward from it, then by the bounds a solver tightened."""
        makers = [("bounds", bounds.quick)] + ([("tighten", bounds.tight)] if bounds.tightens else [])
        for stage, make in makers:
            if bracket.closed:
                return
            with self.run.stage(stage) as record:
                made = make(goal)
                rows = (self.sign * self.weights)[None]
                bracket.proved(float(bound_rows(bracket.network, self.domain, made, rows)[0]), made.level)
                record |= {"level": made.level, "unstable_relus": made.unstable_count}
            self._report(stage)

    def _search_pruned(
        self,
        surrogate: Surrogate,
        bracket: Bracket,
        bounds: BoundsOfCases,
        goal: Goal,
        generator: np.random.Generator,
    ) -> None:
        """Search pruned networks and improve their points on the dense one; it is searched last where that is asked."""

        def improved() -> None:
            self._improved(bracket, self.run.current)

        incumbent = MaximumIncumbent(bracket, self.sign, lambda: bounds.tight(goal), improved)
        if surrogate.exact:
            relaxed = self._relax(bracket, bounds, goal, _CHEAP_SHARE)
            # A moment alone: beside the rungs' solvers the heuristics get a part of the machine only.
            self._climb(bracket, generator, _SECOND_CLIMB, rounds=4, start=relaxed)
            if bracket.closed:
                return
        own, spare = generator.spawn(2)
        heuristics = Portfolio([incumbent], self.run.deadline, spare) if surrogate.exact else nullcontext()
        with heuristics, Polisher(self.run.halt, self.run.deadline, own) as polisher:
            Ladder(surrogate, self.settings, self.run, polisher).climb([incumbent])
            if surrogate.exact:
                if bounds.quick(goal).unstable_count > _SMALL:
                    self._leave_to_heuristics()
                self._solve(bracket, bounds, goal)
            else:
                polisher.settle(np.inf)

    def _leave_to_heuristics(self) -> None:
        """Let the heuristics have the machine alone: the tree of a large network hardly ever closes in what is left."""
        with self.run.stage("heuristics"):
            self.run.halt.wait(self.run.share(_HEURISTICS_SHARE, _HEURISTICS_SECONDS))
        self.run.check()

    def _relax(self, bracket: Bracket, bounds: BoundsOfCases, goal: Goal, share: float) -> FloatArray:
        """Come close to the root's LP relaxation by slopes: a bound, and the best of the points it leads to."""
        with self.run.stage("relaxation") as record:
            left = self.run.remaining
            starts = relaxed_starts(
                bracket.network,
                self.domain,
                SlackBatch.linear(self.sign * self.weights),
                None if left is None else time.monotonic() + share * left,
                bounds=bounds.tight(goal),
                stopped=self.run.halt.is_set,
            )
            bracket.proved(float(starts.bound[0]), "slopes")
            bracket.offer(starts.points, "relaxation")
            record |= {"dual_bound": self.sign * float(starts.bound[0])}
        self._report("relaxation")
        return np.asarray(starts.points[0])

    def _solve(self, bracket: Bracket, bounds: BoundsOfCases, goal: Goal) -> None:
        with self.run.stage("solve") as record:
            start = bracket.point if self.settings.formulation.exact else None
            name = self.settings.engine_name
            tight, left = bounds.tight(goal), self.run.remaining
            answer = self._run(self.settings.engine, name, bracket, tight, "solve", left, start)
            self._take(bracket, answer, "solve", record)
        if answer.termination is Termination.OPTIMAL and not bracket.closed and self.settings.formulation.exact:
            self.run.note(
                f"{answer.name} reports an optimum of {self.sign * answer.dual_bound:.9g} that no replayed point"
                " reaches; its tolerances do not suit this model"
            )
        self._report("solve")

    def _branch(self, bracket: Bracket, bounds: BoundsOfCases, goal: Goal) -> None:
        """Let the native engine search, for a share of the time where a solver comes after it."""
        seconds = self.run.share(*self.settings.native_share)
        limit = seconds if np.isfinite(seconds) else None
        engine = self.settings.native_engine
        with self.run.stage("branch") as record:
            answer = self._run(engine, engine.name, bracket, bounds.tight(goal), "branch", limit, bracket.point)
            self._take(bracket, answer, "branch", record)
            if bracket.proved_by == engine.name:  # heard of while it worked; its answer says which search it rests on
                bracket.proved_by = answer.name
        self._report("branch")

    def _run(
        self,
        engine: NetworkSolver,
        name: str,
        bracket: Bracket,
        bounds: PreactivationBounds,
        stage: str,
        seconds: float | None,
        start: FloatArray | None,
    ) -> EngineResult:
        """Ask an engine for the maximum and hear what it finds as it comes; bounds are put down to `name`."""

        def found(point: FloatArray) -> None:
            if bracket.offer(point[None], stage):
                self._improved(bracket, stage)

        def proved(dual: float) -> None:
            if bracket.proved(dual, name):
                self._improved(bracket, stage)

        parameters = replace(
            self.settings.parameters,
            time_limit=seconds,
            relative_gap=0.5 * self.gap,
            absolute_gap=0.5 * ABSOLUTE_GAP,
        )
        return engine.maximize(
            Maximization(
                bracket.network,
                self.domain,
                bracket.objective,
                bounds,
                parameters,
                start=start,
                on_point=found,
                on_bound=proved,
                interrupt=self.run.halt,
            )
        )

    def _take(self, bracket: Bracket, answer: EngineResult, stage: str, record: dict[str, Any]) -> None:
        """Take note of an engine's final answer."""
        record |= summary(answer)
        if record["dual_bound"] is not None:
            record["dual_bound"] *= self.sign
        if answer.point is not None:
            bracket.offer(answer.point[None], stage)
        if answer.dual_bound < np.inf:
            bracket.proved(answer.dual_bound, answer.name)
        if answer.termination in BROKEN or answer.termination is Termination.INFEASIBLE:
            self.run.note(f"{answer.name} ended with {answer.termination.value}: {answer.message}")

    def _improved(self, bracket: Bracket, stage: str) -> None:
        """Tell the caller, and end the call once the bounds meet; the lock keeps what the caller hears in order."""
        with bracket.lock:
            self._report(stage)
            if bracket.closed:
                self.run.halt.set()

    def _report(self, stage: str) -> None:
        bracket = self.bracket
        if self.progress is not None and bracket is not None:
            primal, dual = self.sign * bracket.primal, self.sign * bracket.dual
            self.progress(Progress.of(stage, self.run.seconds, primal, dual))
