"""A Pyomo model as arrays, by Pyomo's own compiler to standard form."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.common.errors import InvalidConstraintError
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy import sparse

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.embedding.extraction import Extraction
from netopt.errors import InputError


def extract(model: Any, blocks: Sequence[Any], members: Sequence[Any]) -> Extraction:
    """Return the active part of a model outside some blocks; fixed variables are columns with one value.

    Parameters
    ----------
    members : variables that get columns whether or not the rest of the model mentions them.

    Raises
    ------
    InputError
        The model is not linear, or has no or several objectives.
    """
    objectives = list(model.component_data_objects(pyo.Objective, active=True))
    if len(objectives) != 1:
        raise InputError(f"the Pyomo model has {len(objectives)} active objectives; a surrogate solve needs one")
    form = _compile(model, blocks)
    fixed = [v for v in model.component_data_objects(pyo.Var) if v.fixed]
    position: dict[Hashable, int] = {}
    for variable in [*form.columns, *fixed, *members]:
        position.setdefault(id(variable), len(position))
    variables = tuple({id(v): v for v in [*form.columns, *fixed, *members]}.values())
    pairs = [(v.value, v.value) if v.fixed else v.bounds for v in variables]
    maximize = objectives[0].sense == pyo.maximize
    sign = -1.0 if maximize else 1.0  # the compiler always minimises
    objective = np.zeros(len(variables))
    objective[: len(form.columns)] = sign * form.c.toarray()[0]
    lower, upper = _sides(form)
    return Extraction(
        MilpModel(
            objective=objective,
            objective_constant=sign * float(form.c_offset[0]),
            maximize=maximize,
            matrix=_widened(form.A, len(variables)),
            row_lower=lower,
            row_upper=upper,
            column_lower=np.array([-np.inf if low is None else low for low, _ in pairs], dtype=np.float64),
            column_upper=np.array([np.inf if high is None else high for _, high in pairs], dtype=np.float64),
            integral=np.array([_is_integral(v) for v in variables], dtype=bool),
        ),
        variables,
        position,
    )


def _compile(model: Any, blocks: Sequence[Any]) -> Any:
    active = [block for block in blocks if block.active]
    for block in active:
        block.deactivate()
    try:
        return LinearStandardFormCompiler().write(model, mixed_form=True)
    except (InvalidConstraintError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"the Pyomo model cannot be read as a linear one ({reason}); keep to linear rows") from error
    finally:
        for block in active:
            block.activate()


def _is_integral(variable: Any) -> bool:
    if variable.is_continuous():
        return False
    if variable.is_integer() or variable.is_binary():
        return True
    raise InputError(f"variable {variable.name!r} has the domain {variable.domain}; take reals, integers or binaries")


def _sides(form: Any) -> tuple[FloatArray, FloatArray]:
    """Return the sides of the rows; a ranged one comes as two rows."""
    kind = np.array([row.bound_type for row in form.rows], dtype=np.int64)
    side = np.array(form.rhs, dtype=np.float64)
    return np.where(kind == 1, -np.inf, side), np.where(kind == -1, np.inf, side)


def _widened(matrix: Any, columns: int) -> sparse.csr_array:
    csr = sparse.csr_array(matrix)
    return sparse.csr_array((csr.data, csr.indices, csr.indptr), shape=(csr.shape[0], columns))
