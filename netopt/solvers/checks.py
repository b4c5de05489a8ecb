"""What every adapter refuses, in the same words."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.checks import as_whole, check_kind, is_number
from netopt.errors import InputError, InvalidOptionError, SolverUnavailableError, UnsupportedModelError
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.solver import MilpSolver

#: Solvers' tolerances are absolute. Numbers beyond this round by about as much in a solve as the margin of 1e-6 that
#: claims are taken with, and phase binaries with coefficients as large may be fractional for all that matters.
LARGEST_NUMBER = 1e8
_LARGEST_SEED = 2_000_000_000
_REMEDY = {
    "sos1": "the sos1 formulation needs solver gurobi or scip; or take big-m, partition or multiple-choice",
    "indicator": "the indicator formulation needs solver gurobi or scip; or take big-m, partition or multiple-choice",
}


def check_solve(solver: MilpSolver, model: MilpModel, parameters: SolverParameters, start: FloatArray | None) -> None:
    """Refuse what `solver` cannot solve: not usable, unsupported rows, a broken model, start or parameter.

    Raises
    ------
    SolverUnavailableError, UnsupportedModelError, InvalidOptionError, InputError
    """
    availability = solver.availability(model)
    if not availability.usable:
        raise SolverUnavailableError(availability.reason)
    for kind, present in (("sos1", model.sos1 is not None), ("indicator", model.indicators is not None)):
        if present and kind not in solver.capabilities.row_kinds:
            raise UnsupportedModelError(f"solver {solver.name} takes no {kind} rows; {_REMEDY[kind]}")
    check_input(model, parameters, start)


def check_input(model: MilpModel, parameters: SolverParameters, start: FloatArray | None) -> None:
    """Refuse what no solver can solve: a broken model, start or parameter.

    Raises
    ------
    InvalidOptionError, InputError
    """
    check_kind(parameters, SolverParameters, "the parameters", "give SolverParameters")
    _check_parameters(parameters)
    _check_model(model)
    if start is not None and (start.shape != (model.column_count,) or not np.isfinite(start).all()):
        raise InputError(f"a MIP start needs {model.column_count} finite values; the given one has shape {start.shape}")


def refuse_reserved(solver: str, options: Mapping[str, object], reserved: Mapping[str, str]) -> None:
    """Refuse vendor options that a field of `SolverParameters` sets; `reserved` maps option to field."""
    for name, value in options.items():
        if name in reserved:
            raise InvalidOptionError(
                f"{solver} option {name}={value!r} is set by the parameter {reserved[name]}; use that"
            )


def _check_parameters(parameters: SolverParameters) -> None:
    limits = {
        "time_limit": parameters.time_limit,
        "relative_gap": parameters.relative_gap,
        "absolute_gap": parameters.absolute_gap,
        "node_limit": parameters.node_limit,
    }
    for name, value in limits.items():
        if value is not None and not (is_number(value) and 0.0 <= value < math.inf):
            raise InvalidOptionError(f"{name} is {value!r}; it must be finite and at least 0")
    if as_whole(parameters.seed, "seed", 0) > _LARGEST_SEED:
        raise InvalidOptionError(f"seed is {parameters.seed}; solvers take at most {_LARGEST_SEED}")
    as_whole(parameters.threads, "threads", 1)
    for name in ("objective_limit", "bound_limit"):
        limit = getattr(parameters, name)
        if limit is not None and not (is_number(limit) and not math.isnan(limit)):
            raise InvalidOptionError(f"{name} is {limit!r}; give a number or None")


def _check_model(model: MilpModel) -> None:
    finite = {"objective": model.objective, "matrix": model.matrix.data}
    if model.indicators is not None:
        finite["indicator matrix"] = model.indicators.matrix.data
    for name, values in finite.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"the {name} of the model holds {np.count_nonzero(~np.isfinite(values))} values not finite"
            )
    sides = (model.row_lower, model.row_upper, model.column_lower, model.column_upper)
    if any(np.isnan(side).any() for side in sides) or not math.isfinite(model.objective_constant):
        raise InputError("a bound or the objective constant of the model is nan; every bound is a number or infinite")


def largest_number(model: MilpModel) -> float:
    """Return the largest magnitude of a model's finite numbers, and of what its rows and its objective add up.

    Columns without a finite bound count nothing in a sum; rows that define them do.
    """
    ends = np.stack([model.column_lower, model.column_upper])
    reach = np.abs(np.where(np.isfinite(ends), ends, 0.0)).max(axis=0)
    sides = np.concatenate([model.row_lower, model.row_upper])
    objective = np.append(model.objective, [np.abs(model.objective) @ reach, model.objective_constant])
    numbers = (model.matrix.data, abs(model.matrix) @ reach, sides[np.isfinite(sides)], reach, objective)
    return max(float(np.abs(some).max(initial=0.0)) for some in numbers)
