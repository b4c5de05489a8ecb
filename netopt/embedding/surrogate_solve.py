"""`solve_with_surrogate`: models with networks and integer decisions, by way of sparse networks, exact given time."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from netopt.arrays import FloatArray
from netopt.checks import is_positive
from netopt.embedding.adapter import ModelAdapter, adapt
from netopt.embedding.extraction import Extraction
from netopt.embedding.prediction import PredictorConstraint
from netopt.embedding.sparse import SparseOption, parse_sparse
from netopt.embedding.surrogate_clock import Clock
from netopt.embedding.surrogate_problem import EmbeddedProblem, check_predictions, read_problem
from netopt.embedding.surrogate_solution import SurrogateSolution
from netopt.embedding.surrogate_stages import Stages, run_stages
from netopt.embedding.surrogate_writing import WrittenProblem, write_problem
from netopt.errors import InputError, InvalidOptionError
from netopt.problems.inputs import as_solver
from netopt.problems.results import ABSOLUTE_GAP, MaximizationStatus
from netopt.solvers.checks import LARGEST_NUMBER, largest_number
from netopt.solvers.child import ChildSolver
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import SolverResult, Termination
from netopt.solvers.solver import MilpSolver

#: Without a time limit, the stages before the dense model share out this many seconds.
_HORIZON = 60.0


def solve_with_surrogate(
    model: Any,
    predictions: PredictorConstraint | Sequence[PredictorConstraint],
    *,
    surrogate: str | Sequence[str] = "domain-aware:0.8",
    solver: str | MilpSolver = "highs",
    time_limit: float | None = None,
    relative_gap: float = 1e-4,
    threads: int = 1,
    seed: int = 0,
    memory_limit: float | None = None,
) -> SurrogateSolution:
    r"""Optimise a model that holds networks among other variables, with sparse networks on the way.

    The model is read once, and solved apart from its library. Points of the model without networks are completed by
    forward passes and improved by flips and swaps of the integer decisions, judged on the dense networks in batches,
    and by linear and small mixed-integer programs along the networks' slopes. The model with sparse networks, which
    agree with the dense ones at the best point in value and slope, is solved; each of its incumbents has its decisions
    fixed, the dense networks evaluated, and what they make infeasible repaired or rejected. Local branching searches
    the sparse model near the best point. At last the dense model is solved from the best point, so that given time the
    answer is exact.

    Parameters
    ----------
    model : a Pyomo model, a ``gurobipy.Model``, a ``highspy.Highs`` or a ``pyscipopt.Model``, linear beside its
        networks.
    predictions : what `add_predictor_constr` returned for this model. Networks left out stay rows as they are. One that
        was embedded with a surrogate counts as the dense network it stands for.
    surrogate : ``METHOD:RATE``, or several, tried one after the other.
    solver : a name (`netopt.get_solver`) or a `MilpSolver`; it runs in child processes. A `ChildSolver` is used as it
        is and stays open, which saves several calls the start of a process each.
    time_limit : seconds for the whole call; None is no limit.
    relative_gap : gap at which the dense model counts as solved.
    threads, seed : of every solve.
    memory_limit : resident bytes of each child process; that of a `ChildSolver` that is given counts instead.

    Returns
    -------
    SurrogateSolution
        The model itself is left as it was, with the solution in it: as values (Pyomo), as the solution (highspy,
        PySCIPOpt) or as the start of the next ``optimize`` (gurobipy, whose solution cannot be written).

    Raises
    ------
    InputError
        The model is not linear beside its networks, or a network is not in it.
    InvalidOptionError
        A surrogate, solver or limit cannot be used.

    Examples
    --------
    >>> import highspy
    >>> from netopt.embedding import add_predictor_constr, solve_with_surrogate
    >>> from netopt.network.build import from_weights
    >>> network = from_weights([[[1.0, -1.0], [-1.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])  # |x0 - x1|
    >>> model = highspy.Highs()
    >>> model.silent()
    >>> x = [model.addIntegral(lb=0.0, ub=3.0) for _ in range(2)]
    >>> _ = model.addConstr(x[0] + 2.0 * x[1] >= 2.0)
    >>> prediction = add_predictor_constr(model, network, x)
    >>> _ = model.setMaximize()
    >>> _ = model.changeColCost(prediction.output[0].index, 1.0)
    >>> solution = solve_with_surrogate(model, prediction, surrogate="magnitude:0.5", time_limit=20.0)
    >>> solution.status.value, solution.objective
    ('optimal', 3.0)
    """
    began = time.monotonic()
    given = check_predictions(predictions)
    options = _options(surrogate)
    _check_limits(time_limit, relative_gap)
    chosen = as_solver(solver)
    adapter = adapt(model)
    clock = Clock(began, began + (math.inf if time_limit is None else time_limit))
    parameters = SolverParameters(threads=threads, seed=seed, relative_gap=relative_gap)
    with _child(chosen, memory_limit) as child:  # it starts while the model is read
        extraction, problem = read_problem(adapter, given)
        stages = Stages(problem, write_problem(problem), child, parameters, clock)
        result = run_stages(stages, options, _HORIZON if time_limit is None else time_limit)
    if stages.best is not None and stages.best.feasible:
        _load(adapter, extraction, problem, given, stages.best.point)
    return _solution(adapter, extraction, stages, result, relative_gap)


def _options(surrogate: str | Sequence[str]) -> list[SparseOption]:
    texts = [surrogate] if isinstance(surrogate, str) else list(surrogate)
    if not texts:
        raise InvalidOptionError("surrogate is empty; name one, e.g. 'domain-aware:0.8'")
    return [parse_sparse(text) for text in texts]


def _check_limits(time_limit: float | None, relative_gap: float) -> None:
    for name, value in (("time_limit", time_limit), ("relative_gap", relative_gap)):
        if value is not None and not (value == 0.0 or (is_positive(value) and value < math.inf)):
            raise InvalidOptionError(f"{name} is {value!r}; it must be finite and at least 0")


def _child(solver: MilpSolver, memory_limit: float | None) -> AbstractContextManager[ChildSolver]:
    """Return the solver in child processes: the user's own stays open."""
    return nullcontext(solver) if isinstance(solver, ChildSolver) else ChildSolver(solver, memory_limit)


def _load(
    adapter: ModelAdapter,
    extraction: Extraction,
    problem: EmbeddedProblem,
    predictions: Sequence[PredictorConstraint],
    point: FloatArray,
) -> None:
    """Put a true solution, and the neurons of the networks that the model holds, into the user's model."""
    values = {adapter.key(v): x for v, x in zip(extraction.variables, point.tolist(), strict=False)}
    variables = {adapter.key(v): v for v in extraction.variables}
    for prediction, network in zip(predictions, problem.networks, strict=True):
        wiring = prediction.wiring
        created = wiring.inserted[0].created()
        own = np.array([point[extraction.position[wiring.adapter.key(v)]] for v in wiring.request.variables])
        inside = np.zeros(own.size + len(created))
        for k, (fragment, mapping) in enumerate(zip(prediction.fragments, wiring.mappings, strict=True)):
            inside[mapping] = fragment.encoding.start(wiring.request.rows[k].columns_at(own))
            inside[mapping[fragment.region]] = point[network.region[k]]
        for variable, value in zip(created, inside[own.size :].tolist(), strict=True):
            key = wiring.adapter.key(variable)
            if key not in values:
                values[key], variables[key] = value, variable
    adapter.load(list(variables.values()), np.array([values[key] for key in variables]))


def _solution(
    adapter: ModelAdapter, extraction: Extraction, stages: Stages, result: SolverResult | None, relative_gap: float
) -> SurrogateSolution:
    best = stages.best if stages.best is not None and stages.best.feasible else None
    objective = None if best is None else stages.problem.sign * best.worth
    if result is not None:
        result = _resolved(result, stages.dense)
    trusted = result is not None and result.termination is not Termination.NUMERICAL
    dual = result.dual_bound if result is not None and trusted and math.isfinite(result.dual_bound) else None
    values = None if best is None else best.point[: len(extraction.variables)]

    def evaluate(entry: Any) -> float:
        if values is None:
            raise InputError("no solution is known; give more time or check the model")
        terms = adapter.split(entry)
        columns = extraction.columns([adapter.key(variable) for variable in terms.variables])
        return float(np.dot(terms.coefficients, values[columns])) + terms.constant

    status, notices = _status(objective, dual, result, stages.clock, relative_gap)
    return SurrogateSolution(
        status=status,
        objective=objective,
        dual_bound=dual,
        variables=extraction.variables,
        values=values,
        incumbents=tuple(stages.incumbents),
        stages=tuple(stages.record),
        notices=notices,
        seconds=stages.clock.seconds,
        _evaluate=evaluate,
    )


def _resolved(result: SolverResult, dense: WrittenProblem) -> SolverResult:
    """Return a solver's answer, without its claims where the networks' rows hold numbers that it cannot resolve."""
    largest = max((largest_number(copy.fragment.model) for copy, _ in dense.copies), default=0.0)
    if largest <= LARGEST_NUMBER:
        return result
    message = f"numbers up to {largest:.1e} in a network's rows are too large for its tolerances"
    return replace(result, termination=Termination.NUMERICAL, vendor_status=message)


def _status(
    objective: float | None, dual: float | None, result: SolverResult | None, clock: Clock, relative_gap: float
) -> tuple[MaximizationStatus, tuple[str, ...]]:
    if result is not None and result.termination is Termination.INFEASIBLE:
        if objective is None:
            return MaximizationStatus.INFEASIBLE, ()
        return MaximizationStatus.FEASIBLE, (
            "the dense model was called infeasible though a point satisfies it within 1e-6: the model is at the edge of"
            " the solver's tolerances",
        )
    late = result is None or clock.over() or result.termination is Termination.TIME_LIMIT
    notices = () if late or result is None else _ends(result)
    if objective is None:
        return (MaximizationStatus.TIMEOUT if late else MaximizationStatus.UNKNOWN), notices
    if dual is not None and abs(dual - objective) <= max(ABSOLUTE_GAP, relative_gap * abs(objective)):
        return MaximizationStatus.OPTIMAL, ()
    return (MaximizationStatus.TIMEOUT if late else MaximizationStatus.FEASIBLE), notices


def _ends(result: SolverResult) -> tuple[str, ...]:
    """Return why the dense model was left open, where it was not for time."""
    if result.termination is Termination.OPTIMAL:
        return ("the dense model was solved, and its solution is worth less on the networks than its bound",)
    return (f"the dense model ended as {result.termination.value} ({result.vendor_status})",)
