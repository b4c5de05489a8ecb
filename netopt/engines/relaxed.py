"""The relaxed engine: sparse models whose dual bound holds for the dense network, then the dense model.

A ladder of relaxations (`netopt.engines.relaxed_model`): the sparsest first, then (`refinements`) ones in which the
rows whose slack is furthest from the truth are whole again, and last the dense model. Each rung is sound by itself, so
the smallest bound so far is always the answer, and the ladder ends as soon as it suffices; the last rung is exact.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

import numpy as np

from formulations.formulation import Formulation
from netopt.arrays import FloatArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.engines.engine import DualBoundCallback, EngineResult, PointCallback
from netopt.engines.milp import MilpEngine, solve_slack_model
from netopt.engines.objective import SlackObjective
from netopt.engines.relaxed_model import RelaxedModel
from netopt.errors import InvalidOptionError
from netopt.network.network import Network
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.solvers.solver import MilpSolver
from netopt.specification.domain import Domain

#: The rate where the caller names none: more loosens the bound faster than it speeds the solver up
#: (benchmarks/relaxed_surrogate).
OWN_RATE = 0.15
#: Share of the time left, and most seconds, that a relaxed rung may take: the dense model has to fit as well.
_RUNG_SHARE, _RUNG_SECONDS = 0.1, 5.0
#: Share of the slack weights that a refinement puts back.
_PUT_BACK = 0.7
#: Terminations of a rung after which the call ends.
_FINAL = (Termination.INTERRUPTED, Termination.MEMORY_LIMIT, Termination.ERROR)


@dataclass(frozen=True, slots=True)
class RelaxedEngine:
    """Maximises over relaxations of a network that keep a fraction of its weights, then over the network.

    A drop-in for `netopt.engines.milp.MilpEngine`: ``RelaxedEngine(solver, formulation)`` for ``"relaxed"``,
    ``RelaxedEngine(solver, formulation, rate=0.3)`` for ``"relaxed:0.3"``. Points passed to `on_point` come from
    relaxed models: replay them.

    Parameters
    ----------
    solver, formulation : as for `MilpEngine`.
    rate : fraction of the weights of the layers next to the inputs that the first rung replaces by slack, in [0, 1);
        None is `OWN_RATE`; 0 leaves the dense model alone.
    deep : whether the layers behind lose the same fraction of theirs.
    refinements : rungs between the first and the dense one; each puts back the rows furthest from the truth.
    ties : most rows that tie the slacks of a rung to each other.

    Raises
    ------
    InvalidOptionError
        The rate is not in [0, 1), or a count is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from formulations.big_m import BigM
    >>> from netopt.bounds.compute import compute_bounds
    >>> from netopt.engines.objective import SlackObjective
    >>> from netopt.engines.relaxed import RelaxedEngine
    >>> from netopt.network.build import from_weights
    >>> from netopt.solvers.highs import Highs
    >>> from netopt.solvers.parameters import SolverParameters
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])  # |x|
    >>> box = Box(np.array([-1.0]), np.array([0.5]))
    >>> objective, bounds = SlackObjective.linear(np.ones(1)), compute_bounds(network, box)
    >>> answer = RelaxedEngine(Highs(), BigM()).maximize(network, box, objective, bounds, SolverParameters())
    >>> round(answer.dual_bound, 6)
    1.0
    """

    solver: MilpSolver
    formulation: Formulation
    rate: float | None = None
    deep: bool = False
    refinements: int = 0
    ties: int = 0

    def __post_init__(self) -> None:
        if self.rate is not None and not 0.0 <= self.rate < 1.0:
            raise InvalidOptionError(f"the rate is {self.rate}; a rate is the fraction relaxed, in [0, 1)")
        for name, value in (("refinements", self.refinements), ("ties", self.ties)):
            if value < 0:
                raise InvalidOptionError(f"{name} is {value}; give 0 or more")

    @property
    def name(self) -> str:
        """The solver's name."""
        return self.solver.name

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

        `EngineResult.termination` is that of the rung that ended the call; ``OPTIMAL`` where a relaxed rung proves the
        start optimal.

        Raises
        ------
        SolverUnavailableError, UnsupportedModelError, InvalidOptionError
            The solver cannot take the model or an option.
        formulations.errors.FormulationError
            The formulation cannot write a layer.
        """
        climb = _Climb(self, network, domain, objective, bounds, parameters, start, on_point, on_bound, interrupt)
        return climb.run()


@dataclass(slots=True, eq=False)
class _Climb:
    """One call: what is known while it goes from rung to rung."""

    engine: RelaxedEngine
    network: Network
    domain: Domain
    objective: SlackObjective
    bounds: PreactivationBounds
    parameters: SolverParameters
    start: FloatArray | None
    on_point: PointCallback | None
    on_bound: DualBoundCallback | None
    interrupt: threading.Event | None
    dual: float = np.inf
    nodes: int = 0
    begun: float = 0.0
    last: FloatArray | None = None

    def run(self) -> EngineResult:
        """Climb until the bound suffices."""
        self.begun = time.monotonic()
        enough = self._enough()
        relaxed = self._first()
        for _ in range(self.engine.refinements + 1):
            if relaxed is None or not relaxed.weights or self._stopped():
                break
            answer, finer = self._rung(relaxed, enough)
            if self.dual <= enough or answer.termination in _FINAL:
                return self._settled(answer)
            relaxed = finer
        return self._dense()

    def _first(self) -> RelaxedModel | None:
        """Return the first rung, None where the dense model is the only one."""
        engine = self.engine
        rate = OWN_RATE if engine.rate is None else engine.rate
        if rate == 0.0:
            return None
        problem = (self.network, self.domain, self.objective, self.bounds, engine.formulation)
        return RelaxedModel.split(*problem, rate, rate if engine.deep else 0.0)

    def _enough(self) -> float:
        """Return the bound at which nothing is left to prove: the caller's limit, or the start's value."""
        limit = -np.inf if self.parameters.bound_limit is None else self.parameters.bound_limit
        return max(limit, self._start_value() + self._gap())

    def _start_value(self) -> float:
        if self.start is None:
            return -np.inf
        return float(self.objective.value(self.start[None], self.network.forward(self.start[None]))[0])

    def _gap(self) -> float:
        if self.start is None:
            return 0.0
        return max(self.parameters.absolute_gap, self.parameters.relative_gap * abs(self._start_value()))

    def _remaining(self) -> float | None:
        limit = self.parameters.time_limit
        return None if limit is None else max(0.0, limit - (time.monotonic() - self.begun))

    def _stopped(self) -> bool:
        return (self.interrupt is not None and self.interrupt.is_set()) or self._remaining() == 0.0

    def _left(self, seconds: float | None) -> SolverParameters:
        """Return the caller's parameters with what is left of its limits."""
        limit = self.parameters.node_limit
        nodes = None if limit is None else max(limit - self.nodes, 0)
        return replace(self.parameters, time_limit=seconds, node_limit=nodes)

    def _rung(self, relaxed: RelaxedModel, enough: float) -> tuple[EngineResult, RelaxedModel | None]:
        """Solve one relaxation; return the answer and the next relaxation."""
        left = self._remaining()
        seconds = _RUNG_SECONDS if left is None else min(_RUNG_SECONDS, _RUNG_SHARE * left)
        begun = time.monotonic()
        tied = relaxed.tie(self.engine.ties, self._stopped, begun + 0.5 * seconds)
        model = tied.build()
        self.last = None

        def found(values: FloatArray) -> None:
            self.last = values
            if self.on_point is not None:
                self.on_point(tied.point(model, values))

        # An incumbent of a relaxation reaches no objective limit of the caller's.
        parameters = replace(
            self._left(seconds), objective_limit=None, bound_limit=enough if enough > -np.inf else None
        )
        answer = solve_slack_model(
            self.engine.solver,
            model,
            parameters,
            begun=begun,
            on_point=found,
            on_bound=self._proved,
            interrupt=self.interrupt,
        )
        self.nodes += answer.nodes
        self._proved(answer.dual_bound)
        if self.last is None:
            return answer, None
        return answer, tied.refined(model, self.last, _PUT_BACK)

    def _proved(self, bound: float) -> None:
        if bound < self.dual:
            self.dual = bound
            if self.on_bound is not None:
                self.on_bound(bound)

    def _settled(self, answer: EngineResult) -> EngineResult:
        """Return the answer of a relaxed rung as one about the network."""
        value = self._start_value()
        termination = answer.termination
        if self.dual <= value + self._gap():
            termination = Termination.OPTIMAL
        elif termination not in _FINAL:
            termination = Termination.BOUND_LIMIT
        return replace(
            answer,
            termination=termination,
            dual_bound=max(self.dual, value),
            primal_bound=None if self.start is None else value,
            point=self.start,
            nodes=self.nodes,
            seconds=time.monotonic() - self.begun,
            name=f"{answer.name} on a relaxed model",
        )

    def _dense(self) -> EngineResult:
        answer = MilpEngine(self.engine.solver, self.engine.formulation).maximize(
            self.network,
            self.domain,
            self.objective,
            self.bounds,
            self._left(self._remaining()),
            start=self.start,
            on_point=self.on_point,
            on_bound=self._proved,
            interrupt=self.interrupt,
        )
        return replace(
            answer,
            dual_bound=min(self.dual, answer.dual_bound),
            nodes=self.nodes + answer.nodes,
            seconds=time.monotonic() - self.begun,
        )
