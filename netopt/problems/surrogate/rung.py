"""One rung: the relaxation and the MILP of a pruned network, every point of which is replayed on the dense one.

Values of the two networks never compare: the start is the best dense point completed on the pruned network, there is no
cut-off, and what the solver proves is about the pruned network alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from formulations.formulation import Formulation
from formulations.milp import MilpModel
from formulations.triangle import Triangle
from netopt.arrays import FloatArray
from netopt.engines.milp import SlackModel, build_slack_model
from netopt.problems.proving import BROKEN
from netopt.problems.run import Run
from netopt.problems.settings import Settings
from netopt.problems.surrogate.incumbent import DenseIncumbent, dense_value
from netopt.problems.surrogate.no_good import NoGoodCuts
from netopt.problems.surrogate.polish import IMPROVED, Polisher
from netopt.problems.surrogate.sparse_model import SparseModel
from netopt.problems.surrogate.stall import StallWatch
from netopt.solvers.result import SolverResult, Termination

#: A start that violates the model by more than this is not given to the solver.
_START_TOLERANCE = 1e-6
#: Share of a rung's time that the relaxation may take, and its most seconds where there is no limit.
_RELAXATION_SHARE, _RELAXATION_SECONDS = 0.3, 30.0


@dataclass(slots=True, eq=False)
class RungSearch:
    """The search of one pruned network for one objective.

    Attributes
    ----------
    model : the pruned network.
    incumbent : the best dense point, improved on the way.
    settings, run, polisher : of the call.
    no_good : whether patterns are cut off once the network is solved, to search it again.
    best, best_value : the pruned network's incumbent with the largest dense value as it stands, and that value.
    """

    model: SparseModel
    incumbent: DenseIncumbent
    settings: Settings
    run: Run
    polisher: Polisher
    no_good: bool = False
    best: FloatArray | None = None
    best_value: float = -np.inf
    _incumbents: int = 0
    _solves: int = 0
    _patterns: list[FloatArray] = field(default_factory=list)

    def search(self, seconds: float | None, patience: float, share: float) -> dict[str, Any]:
        """Search for some seconds, or until it stalls (see `StallWatch`); return the stage's record."""
        begun = time.monotonic()
        model = self.model
        end = None if seconds is None else begun + seconds
        self._relax(_RELAXATION_SECONDS if seconds is None else _RELAXATION_SHARE * seconds)
        self.run.check()
        writing = time.monotonic()
        slack_model = self._write(self.settings.formulation)
        built = time.monotonic() - writing
        cuts = NoGoodCuts(slack_model) if self.no_good else None
        with StallWatch(self.run.halt, patience, share) as watch:
            first = self._solve(slack_model, slack_model.model, end, watch)
            if cuts is not None:
                self._solve_again(slack_model, cuts, first, end, watch)
        if first.termination in BROKEN:
            self.run.note(
                f"{first.solver} ended on the pruned network {model.pruning.label} with"
                f" {first.termination.value}: {first.vendor_status}"
            )
        return model.record() | self._figures(slack_model, first) | {"build_seconds": built, "stalled": watch.stalled}

    def _write(self, formulation: Formulation) -> SlackModel:
        model = self.model
        return build_slack_model(
            model.network, model.domain, model.objective(self.incumbent.objective), model.bounds, formulation
        )

    def _relax(self, seconds: float) -> None:
        """Offer the point that the pruned network's relaxation is attained at: it is often the best of the rung."""
        relaxation = self._write(Triangle())
        answer = self.settings.solver.solve(
            relaxation.model, replace(self.settings.parameters, time_limit=seconds), interrupt=self.run.halt
        )
        if answer.point is not None:
            x = self.model.domain.project(relaxation.input_of(answer.point)[None])[0]
            self._offer(x, f"{self.model.pruning.label} relaxation")

    def _solve(self, slack_model: SlackModel, milp: MilpModel, end: float | None, watch: StallWatch) -> SolverResult:
        def found(_value: float, point: FloatArray) -> None:
            self._found(slack_model, point, watch)

        self._solves += 1
        seconds = None if end is None else max(0.0, end - time.monotonic())
        parameters = replace(self.settings.parameters, time_limit=seconds, plain=True)
        return self.settings.solver.solve(
            milp,
            parameters,
            start=self._start(slack_model, milp),
            on_incumbent=found,
            interrupt=watch.event,
        )

    def _start(self, slack_model: SlackModel, milp: MilpModel) -> FloatArray | None:
        """Return the best dense point completed on the pruned network; None where a cut forbids it."""
        if self.incumbent.point is None:
            return None
        start = slack_model.start(self.incumbent.point)
        return start if milp.violation(start) <= _START_TOLERANCE else None

    def _found(self, slack_model: SlackModel, point: FloatArray, watch: StallWatch) -> None:
        """Replay an incumbent of the pruned network and have it improved."""
        x = self.model.domain.project(slack_model.input_of(point)[None])[0]
        self._incumbents += 1
        if self.no_good:
            self._patterns.append(point)
        if self._offer(x, self.model.pruning.label) or self._solves == 1:
            watch.found()

    def _offer(self, x: FloatArray, origin: str) -> bool:
        """Replay a point (n,) and have it improved; return whether it is the best known as it stands."""
        value = dense_value(self.incumbent, x)
        better = self.incumbent.offer(x[None], origin)
        if value > self.best_value:
            self.best, self.best_value = x, value
        self.polisher.submit(self.incumbent, x, value, f"{origin} {IMPROVED}")
        return better

    def _solve_again(
        self, slack_model: SlackModel, cuts: NoGoodCuts, first: SolverResult, end: float | None, watch: StallWatch
    ) -> None:
        """Cut off the patterns of all incumbents and solve again, until nothing is left or the time is up."""
        answer = first
        while answer.termination is Termination.OPTIMAL and not watch.event.is_set():
            fresh, self._patterns = self._patterns, []
            if answer.point is not None:
                fresh.append(answer.point)
            if not cuts.add(fresh) or (end is not None and time.monotonic() >= end):
                return
            answer = self._solve(slack_model, cuts.model(), end, watch)

    def _figures(self, slack_model: SlackModel, first: SolverResult) -> dict[str, Any]:
        """Return what was found, in the caller's sense; the bound is the one proven before any pattern was cut off."""
        sign, milp = self.incumbent.sign, slack_model.model
        sparse_value = None
        if first.point is not None:
            x = slack_model.input_of(first.point)[None]
            sparse_value = sign * float(slack_model.objective.value(x, self.model.network.forward(x))[0])
        proven = np.isfinite(first.dual_bound) and first.termination is not Termination.NUMERICAL
        return {
            "solver": first.solver,
            "termination": first.termination.value,
            "sparse_value": sparse_value,
            "sparse_bound": sign * first.dual_bound if proven else None,
            "dense_value": sign * self.best_value if np.isfinite(self.best_value) else None,
            "incumbents": self._incumbents,
            "solves": self._solves,
            "nodes": first.nodes,
            "rows": milp.row_count,
            "columns": milp.column_count,
            "nonzeros": int(milp.matrix.nnz),
            "binaries": slack_model.encoding.binary_count,
        }
