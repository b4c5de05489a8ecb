"""The steps of `verify`: read, screen, attack, bound, branch, prove; what is known survives every one of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from netopt.arrays import FloatArray
from netopt.network.network import Network
from netopt.problems.goal import Goal, bound_goals, goals_of
from netopt.problems.hunting import Effort, Hunt
from netopt.problems.inputs import as_network, as_property, check_property
from netopt.problems.preparation import BoundsOfCase, BoundsOfCases
from netopt.problems.replay import Replayer
from netopt.problems.results import VerificationResult
from netopt.problems.run import Progress, ProgressCallback, Run
from netopt.problems.settings import Settings
from netopt.problems.surrogate.options import Surrogate
from netopt.problems.verdict import verdict

if TYPE_CHECKING:
    from netopt.engines.engine import NetworkSolver
    from netopt.problems.confirmation import Confirmation
    from netopt.problems.native import NativeProofs
    from netopt.problems.proof_file import ProofFile
    from netopt.problems.proving import Prover

#: From this many cases on, boxes are screened in batches before any is attacked.
_MANY_CASES = 16
#: Bounds that take no more products than these come before the first attack, which takes longer.
_FEW_PRODUCTS = 3e7
#: Share of the time left that the rows of all goals may take once the neurons are bounded.
_ROWS_SHARE = 0.8
#: Rounds of the long attack, and after how many of them the search goes on.
_ROUNDS, _TURNS = 4, 2


@dataclass(slots=True)
class VerificationSteps:
    """The steps of one call, in order; each raises `HaltedError` once the call has to end."""

    run: Run
    settings: Settings
    progress: ProgressCallback | None
    proof: ProofFile | None = None
    network: Network | None = None
    hunt: Hunt | None = None
    goals: list[Goal] = field(default_factory=list)
    confirmation: Confirmation | None = None

    def work(self, network: Any, prop: Any) -> None:
        """Do everything; the state tells what was found."""
        if self.settings.team is not None:
            self.settings.team.start()
        read, hunt = self._read(network, prop)
        bounds = BoundsOfCases(read, self.settings, self.run)
        self._bound_and_attack(read, hunt, bounds)
        if self._open_cases():
            self._search(read, hunt, bounds)
        self._confirm(read, hunt, bounds)

    def _bound_and_attack(self, read: Network, hunt: Hunt, bounds: BoundsOfCases) -> None:
        """Do what is quick, the quickest first: many instances are decided by the first of these steps that can."""
        cases = self._open_cases()
        many = len(cases) >= _MANY_CASES
        if many:
            self._screen(read)
        steps = bounds.steps(cases)
        early = 0 if many else sum(products <= _FEW_PRODUCTS for _, products in steps)
        for known, _ in steps[:early]:
            self._bound(read, known)
        self._attack(hunt, Effort.SHORT)
        # The rows of all goals of a large network are dear, and intervals leave them open.
        for known, _ in steps[early:] if many else steps[early:][-1:]:
            self._bound(read, known)

    def _search(self, read: Network, hunt: Hunt, bounds: BoundsOfCases) -> None:
        """Branch, attack for longer, tighten and prove, for as long as some goal is open."""
        from netopt.problems.native import NativeProofs

        recorder = None if self.proof is None else self.proof.recorder
        native = NativeProofs(hunt, self.run, bounds, self.settings, lambda: self._report("branch"), recorder)
        if not bounds.tightens:
            self._branch(native.first_slice)
        if self._open_cases():
            self.settings.warm_up()
        surrogate = self.settings.surrogate
        if isinstance(surrogate, Surrogate):
            self._search_pruned(surrogate, hunt, bounds)
            if not surrogate.exact:
                return
        else:
            self._attack_long(hunt, native, by_turns=not bounds.tightens)
        self._tighten(read, bounds)
        self._branch(native.main_slice)
        if self.settings.asks_solver:
            self._prove(read, hunt, bounds)

    def result(self) -> VerificationResult:
        """Return the answer as it stands."""
        if self.settings.confirm is not None and (self.confirmation is None or not self.confirmation.confirmed):
            self.run.note(f"{self.settings.confirm.name} did not confirm the answer")
        found = verdict(self.run, self.network, self.hunt, self.goals, self.confirmation)
        return found if self.proof is None else self.proof.written(found, self.network, self.goals)

    def _read(self, network: Any, prop: Any) -> tuple[Network, Hunt]:
        with self.run.stage("read") as record:
            read = as_network(network, logits=True)
            self.settings.check_network(read)
            asked = as_property(prop)
            check_property(read, asked)
            cases = goals_of(asked)
            empty = sum(not goals and case.domain.is_empty() for case, goals in zip(asked.cases, cases, strict=True))
            if empty:
                self.run.note(f"the domain of {empty} of {len(asked.cases)} cases is empty")
            hunt = Hunt(Replayer(read), self.run, self.settings.seed)
            record |= {"cases": len(cases), "disjuncts": sum(map(len, cases)), "relus": read.relu_count}
            self.network, self.goals = read, [goal for goals in cases for goal in goals]
            self.hunt = hunt
            if self.proof is not None:
                self.proof.prop = asked
        return read, hunt

    def _open_cases(self) -> list[list[Goal]]:
        """Return the open goals, one list a case."""
        cases: dict[int, list[Goal]] = {}
        for goal in self.goals:
            if not goal.closed:
                cases.setdefault(goal.case, []).append(goal)
        return list(cases.values())

    def _screen(self, network: Network) -> None:
        from netopt.problems.screening import screen_boxes

        with self.run.stage("screen") as record:
            screen_boxes(network, self._open_cases(), self.run, self.settings.team)
            record |= {"open_disjuncts": self._open_count()}
        self._report("screen")

    def _attack(self, hunt: Hunt, effort: Effort, made: int = 0) -> None:
        cases = self._open_cases()
        if not cases:
            return
        with self.run.stage("attack") as record:
            record |= {"effort": effort.value}
            hunt.attack(cases, effort, self.settings.team if effort is Effort.LONG else None, made)
        self._report("attack")

    def _attack_long(self, hunt: Hunt, native: NativeProofs, *, by_turns: bool) -> None:
        """Attack round by round, the search between the first ones: whichever ends the call need not wait for all.

        A team attacks beside the search anyway.
        """
        if not by_turns or self.settings.team is not None or not self.settings.native:
            self._attack(hunt, Effort.LONG)
            return
        for made in range(_ROUNDS):
            self._attack(hunt, Effort.ROUND, made)
            if made < _TURNS:
                self._branch(partial(native.first_slice, number=made + 1))

    def _bound(self, network: Network, known: BoundsOfCase) -> None:
        """Bound the open goals from the ReLUs' bounds `known` of each case, which are told how many cases are left."""
        cases = self._open_cases()
        if not cases:
            return
        with self.run.stage("bounds") as record:
            for k, goals in enumerate(cases):
                self.run.check()
                relus = known(goals[0], len(cases) - k)
                bound_goals(network, goals, relus, self._rows_end(len(cases) - k))
                if len(cases) == 1:
                    record |= {"unstable_relus": relus.unstable_count}
            record |= {"open_disjuncts": self._open_count()}
        self._report("bounds")

    def _rows_end(self, cases: int) -> float | None:
        """Return when the rows of a case should be bounded, of so many that share the time left."""
        left = self.run.remaining
        return None if left is None else time.monotonic() + _ROWS_SHARE * left / cases

    def _search_pruned(self, surrogate: Surrogate, hunt: Hunt, bounds: BoundsOfCases) -> None:
        """Search pruned networks for a point of every open disjunct, the most promising first."""
        open_goals = [goal for goals in self._open_cases() for goal in goals]
        if not open_goals:
            return
        from contextlib import nullcontext

        from netopt.attack.gradient_ascent import ROBUST
        from netopt.problems.surrogate.incumbent import GoalIncumbent
        from netopt.problems.surrogate.ladder import Ladder
        from netopt.problems.surrogate.polish import Polisher
        from netopt.problems.surrogate.portfolio import Portfolio

        def improved() -> None:
            with hunt.lock:
                self._report("surrogate")

        incumbents = [GoalIncumbent(goal, hunt, bounds.tight, improved) for goal in open_goals]
        own, spare = hunt.generator.spawn(2)
        heuristics = Portfolio(incumbents, self.run.deadline, spare, ROBUST) if surrogate.exact else nullcontext()
        with heuristics, Polisher(self.run.halt, self.run.deadline, own) as polisher:
            Ladder(surrogate, self.settings, self.run, polisher).climb(incumbents)
            if not surrogate.exact:
                polisher.settle(np.inf)
        if not surrogate.exact:
            self.run.note(
                "only pruned networks were searched, which proves nothing of the network itself;"
                ' prune="ladder", or none, goes on to decide'
            )

    def _branch(self, advance: Callable[[list[list[Goal]]], int]) -> None:
        """Let the native engine go on."""
        cases = self._open_cases()
        if not (cases and self.settings.native):
            return
        with self.run.stage("branch") as record:
            record |= {"parts": advance(cases), "open_disjuncts": self._open_count()}
        self._report("branch")

    def _tighten(self, network: Network, bounds: BoundsOfCases) -> None:
        cases = self._open_cases()
        if not (bounds.tightens and cases):
            return
        with self.run.stage("tighten") as record:
            for goals in cases:
                self.run.check()
                bound_goals(network, goals, bounds.tight(goals[0]))
            record |= {"level": self.settings.bounds, "open_disjuncts": self._open_count()}
        self._report("tighten")

    def _prove(self, network: Network, hunt: Hunt, bounds: BoundsOfCases) -> None:
        if not self._open_cases():
            return
        pending = sorted((goal for goals in self._open_cases() for goal in goals), key=lambda goal: -goal.upper)
        self._prover(network, hunt, bounds, self.settings.engine, "prove").prove(pending)

    def _confirm(self, network: Network, hunt: Hunt, bounds: BoundsOfCases) -> None:
        solver = self.settings.confirm
        if solver is None or not all(goal.closed for goal in self.goals):
            return
        from netopt.engines.milp import MilpEngine
        from netopt.problems.confirmation import confirm

        engine = MilpEngine(solver, self.settings.formulation)
        prover = self._prover(network, hunt, bounds, engine, "confirm")
        self.confirmation = confirm(prover, self.goals, exact=self.settings.formulation.exact)

    def _prover(self, network: Network, hunt: Hunt, bounds: BoundsOfCases, engine: NetworkSolver, stage: str) -> Prover:
        from netopt.problems.proving import Prover

        def judged(goal: Goal, point: FloatArray) -> None:
            hunt.candidate(goal, point)
            self._report(stage)

        return Prover(network, engine, self.settings.parameters, self.run, stage, bounds.tight, judged)

    def _open_count(self) -> int:
        return sum(not goal.closed for goal in self.goals)

    def _report(self, stage: str) -> None:
        if self.progress is not None:
            best = max((goal.best for goal in self.goals), default=-np.inf)
            upper = max((goal.upper for goal in self.goals), default=np.inf)
            self.progress(Progress.of(stage, self.run.seconds, best, upper))
