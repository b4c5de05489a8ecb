"""netopt's side: one function a modelling library, each returning (function to time, function that gives the size)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from netopt.embedding import add_predictor_constr
from netopt.network.build import from_weights

Job = tuple[Callable[[], Any], Callable[[], dict[str, int]]]


def _embed(model: Any, x: Any, weights: list[np.ndarray], biases: list[np.ndarray]) -> Callable[[], Any]:
    network = from_weights(weights, biases)
    return lambda: add_predictor_constr(model, network, x, bounds="interval")


def highspy(weights: list[np.ndarray], biases: list[np.ndarray]) -> Job:
    """Embed in a highspy.Highs."""
    import highspy

    model = highspy.Highs()
    model.silent()
    x = model.addVariables(weights[0].shape[1], lb=0.0, ub=1.0, out_array=True)
    size = lambda: {"rows": model.getNumRow(), "columns": model.getNumCol()}  # noqa: E731 - a pair of closures
    return _embed(model, x, weights, biases), size


def pyomo(weights: list[np.ndarray], biases: list[np.ndarray]) -> Job:
    """Embed in a Pyomo model."""
    import pyomo.environ as pyo

    model = pyo.ConcreteModel()
    model.x = pyo.Var(range(weights[0].shape[1]), bounds=(0.0, 1.0))
    return _embed(model, model.x, weights, biases), lambda: _pyomo_size(model)


def _pyomo_size(model: Any) -> dict[str, int]:
    import pyomo.environ as pyo

    return {
        "rows": sum(1 for _ in model.component_data_objects(pyo.Constraint)),
        "columns": sum(1 for _ in model.component_data_objects(pyo.Var)),
    }


def pyscipopt(weights: list[np.ndarray], biases: list[np.ndarray]) -> Job:
    """Embed in a pyscipopt.Model."""
    import pyscipopt

    model = pyscipopt.Model()
    x = model.addMatrixVar(weights[0].shape[1], lb=0.0, ub=1.0)
    size = lambda: {"rows": model.getNConss(), "columns": model.getNVars()}  # noqa: E731 - a pair of closures
    return _embed(model, x, weights, biases), size


def gurobipy(weights: list[np.ndarray], biases: list[np.ndarray]) -> Job:
    """Embed in a gurobipy.Model."""
    import gurobipy

    model = gurobipy.Model(env=gurobipy.Env(params={"OutputFlag": 0}))
    x = model.addMVar(weights[0].shape[1], lb=0.0, ub=1.0)
    size = lambda: {"rows": model.NumConstrs, "columns": model.NumVars}  # noqa: E731 - a pair of closures
    return _embed(model, x, weights, biases), size


TOOLS = {"netopt-highspy": highspy, "netopt-pyomo": pyomo, "netopt-pyscipopt": pyscipopt, "netopt-gurobipy": gurobipy}
