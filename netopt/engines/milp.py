r"""The MILP engine: write the network with a formulation, hand the model to a solver.

Several rows share a column t, ``A_i x + B_i y + norm_i t <= bound_i``, which is maximised; one row is the objective.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from scipy import sparse

from formulations.formulation import Formulation
from formulations.milp import IntArray, MilpModel
from netopt.arrays import FloatArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.encoding.encode import encode
from netopt.encoding.encoding import Encoding
from netopt.engines.engine import DualBoundCallback, EngineResult, Maximization, PointCallback
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.relaxation.remainder import Remainder
from netopt.solvers.checks import LARGEST_NUMBER, largest_number
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import SolverResult, Termination
from netopt.solvers.solver import MilpSolver
from netopt.specification.domain import Domain

#: Terminations that claim a proof.
_CLAIMS = (Termination.OPTIMAL, Termination.BOUND_LIMIT, Termination.INFEASIBLE)


@dataclass(frozen=True, slots=True, eq=False)
class SlackModel:
    """A network written as a MILP whose objective is a `SlackObjective`.

    Attributes
    ----------
    encoding : the network's part.
    objective : what is maximised.
    model : the MILP.
    margin : (1,) column of t where there are several rows, else empty.
    """

    encoding: Encoding
    objective: SlackObjective
    model: MilpModel
    margin: IntArray

    def input_of(self, point: FloatArray) -> FloatArray:
        """Return the network's input within a point of the model."""
        return point[self.encoding.inputs]

    def start(self, x: FloatArray) -> FloatArray:
        """Return the values of every column at a member of the domain."""
        values = self.encoding.start(x)
        if self.margin.size:
            output = self.encoding.output
            y = output.matrix @ values[output.columns] + output.constant
            values[self.margin] = self.objective.value(x[None], y[None])
        return values


def build_slack_model(
    network: Network,
    domain: Domain,
    objective: SlackObjective,
    bounds: PreactivationBounds,
    formulation: Formulation,
    *,
    remainders: Mapping[str, Remainder] = MappingProxyType({}),
) -> SlackModel:
    """Write `network` over `domain` and maximise `objective`; `remainders` are those of `netopt.encode`.

    Raises
    ------
    InputError
        The domain or the bounds do not fit the network.
    formulations.errors.FormulationError
        The formulation cannot write a layer.
    """
    bounds.require(network)
    encoding = encode(network, domain, bounds, formulation, remainders=remainders)
    builder, output, rows = encoding.builder, encoding.output, objective.conjunction
    matrix, bound = objective.over(output.matrix, output.constant)
    margin = np.empty(0, dtype=np.int64)
    if objective.rows == 1:
        columns, coefficients = [output.columns], [matrix.toarray()[0]]
        if rows.input_matrix is not None:
            columns.append(encoding.inputs)
            coefficients.append(rows.input_matrix.toarray()[0])
        builder.set_objective(
            np.concatenate(columns),
            -np.concatenate(coefficients) / objective.norm[0],
            constant=float(bound[0] / objective.norm[0]),
            maximize=True,
        )
    else:
        margin = builder.add_columns(1, lower=-np.inf, upper=np.inf, name="margin")
        terms = [(output.columns, matrix), (margin, sparse.csr_array(objective.norm[:, None]))]
        if rows.input_matrix is not None:
            terms.append((encoding.inputs, rows.input_matrix))
        builder.add_rows(*terms, upper=bound, name="property")
        builder.set_objective(margin, np.ones(1), maximize=True)
    return SlackModel(encoding, objective, builder.build(), margin)


@dataclass(frozen=True, slots=True)
class MilpEngine:
    """Maximises with a MILP solver.

    Parameters
    ----------
    solver : wrapped in `netopt.solvers.child.ChildSolver` where a limit must hold whatever the solver does.
    formulation : how ReLU layers are written.
    """

    solver: MilpSolver
    formulation: Formulation

    @property
    def name(self) -> str:
        """The solver's name."""
        return self.solver.name

    def maximize(self, problem: Maximization) -> EngineResult:
        """See `netopt.engines.engine.NetworkSolver`.

        Raises
        ------
        SolverUnavailableError, UnsupportedModelError, InvalidOptionError
            The solver cannot take the model or an option.
        formulations.errors.FormulationError
            The formulation cannot write a layer.
        """
        begun = time.monotonic()
        slack_model = build_slack_model(
            problem.network, problem.domain, problem.objective, problem.bounds, self.formulation
        )
        on_point = problem.on_point
        return solve_slack_model(
            self.solver,
            slack_model,
            problem.parameters,
            begun=begun,
            start=None if problem.start is None else slack_model.start(problem.start),
            on_point=None if on_point is None else lambda point: on_point(slack_model.input_of(point)),
            on_bound=problem.on_bound,
            interrupt=problem.interrupt,
        )


def solve_slack_model(
    solver: MilpSolver,
    slack_model: SlackModel,
    parameters: SolverParameters,
    *,
    begun: float,
    start: FloatArray | None = None,
    on_point: PointCallback | None = None,
    on_bound: DualBoundCallback | None = None,
    interrupt: threading.Event | None = None,
) -> EngineResult:
    """Maximise a model; the time limit counts from `begun`, a value of `time.monotonic`.

    `start` and what `on_point` is called with are points of the model, not of the network.
    """
    built = time.monotonic() - begun
    if parameters.time_limit is not None:
        parameters = replace(parameters, time_limit=max(0.0, parameters.time_limit - built))
    # Generic cuts on dense rows cost more than they prune, and better points come from gradients.
    parameters = replace(parameters, plain=True)

    def found(_value: float, point: FloatArray) -> None:
        if on_point is not None:
            on_point(point)

    largest = largest_number(slack_model.model)
    resolved = largest <= LARGEST_NUMBER
    answer = solver.solve(
        slack_model.model,
        parameters,
        start=start,
        on_incumbent=found,
        on_bound=on_bound if resolved else None,
        interrupt=interrupt,
    )
    if not resolved and answer.termination in _CLAIMS:
        message = f"numbers up to {largest:.1e} in the model are too large for its tolerances, so its bound is not used"
        answer = replace(answer, termination=Termination.NUMERICAL, vendor_status=message)
    return _engine_result(slack_model, answer, time.monotonic() - begun, built, resolved=resolved)


def _engine_result(
    slack_model: SlackModel, answer: SolverResult, seconds: float, built: float, *, resolved: bool
) -> EngineResult:
    """Translate the solver's answer; the network's graph is never empty, so `infeasible` proves nothing by itself."""
    model = slack_model.model
    trusted = resolved and answer.termination not in (Termination.NUMERICAL, Termination.INFEASIBLE)
    return EngineResult(
        termination=answer.termination,
        dual_bound=answer.dual_bound if trusted else np.inf,
        primal_bound=answer.primal_bound,
        point=None if answer.point is None else slack_model.input_of(answer.point),
        seconds=seconds,
        build_seconds=built,
        nodes=answer.nodes,
        rows=model.row_count,
        columns=model.column_count,
        binaries=slack_model.encoding.binary_count,
        name=answer.solver,
        message=answer.vendor_status,
    )
