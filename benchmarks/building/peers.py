"""The peers' side, by their own documented calls on predictors that are in memory already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from peer_networks import fitted_regressor, omlt_definition

Job = tuple[Callable[[], Any], Callable[[], dict[str, int]]]


def omlt(weights: list[np.ndarray], biases: list[np.ndarray]) -> Job:
    """Embed with OMLT's big-M ReLU formulation and its interval bounds."""
    import pyomo.environ as pyo
    from omlt import OmltBlock
    from omlt.neuralnet import ReluBigMFormulation

    inputs = weights[0].shape[1]
    definition = omlt_definition(weights, biases, np.zeros(inputs), np.ones(inputs))
    model = pyo.ConcreteModel()
    model.network = OmltBlock()

    def size() -> dict[str, int]:
        return {
            "rows": sum(1 for _ in model.component_data_objects(pyo.Constraint)),
            "columns": sum(1 for _ in model.component_data_objects(pyo.Var)),
        }

    return lambda: model.network.build_formulation(ReluBigMFormulation(definition)), size


def pyscipopt_ml(weights: list[np.ndarray], biases: list[np.ndarray]) -> Job:
    """Embed with PySCIPOpt-ML's default (SOS1) formulation and its interval bounds."""
    import pyscipopt
    from pyscipopt_ml.add_predictor import add_predictor_constr

    model = pyscipopt.Model()
    x = np.array([model.addVar(lb=0.0, ub=1.0) for _ in range(weights[0].shape[1])], dtype=object)
    regressor = fitted_regressor(weights, biases)
    return (
        lambda: add_predictor_constr(model, regressor, x.reshape(1, -1)),
        lambda: {"rows": model.getNConss(), "columns": model.getNVars()},
    )


def gurobi_ml(weights: list[np.ndarray], biases: list[np.ndarray]) -> Job:
    """Embed with gurobi-ml: Gurobi's max constraints, no bounds."""
    import gurobipy
    from gurobi_ml import add_predictor_constr

    model = gurobipy.Model(env=gurobipy.Env(params={"OutputFlag": 0}))
    x = model.addMVar((1, weights[0].shape[1]), lb=0.0, ub=1.0)
    y = model.addMVar((1, weights[-1].shape[0]), lb=-gurobipy.GRB.INFINITY)
    regressor = fitted_regressor(weights, biases)
    return (
        lambda: add_predictor_constr(model, regressor, x, y),
        lambda: {"rows": model.NumConstrs + model.NumGenConstrs, "columns": model.NumVars},
    )


def highs_ml(weights: list[np.ndarray], biases: list[np.ndarray]) -> Job:
    """Embed with highs-ml, which takes networks of one output."""
    import highspy
    from highs_ml import add_predictor_constr

    model = highspy.Highs()
    model.silent()
    x = [model.addVariable(lb=0.0, ub=1.0) for _ in range(weights[0].shape[1])]
    regressor = fitted_regressor(weights, biases)
    return (
        lambda: add_predictor_constr(model, regressor, x),
        lambda: {"rows": model.getNumRow(), "columns": model.getNumCol()},
    )


TOOLS = {"omlt": omlt, "pyscipopt-ml": pyscipopt_ml, "gurobi-ml": gurobi_ml, "highs-ml": highs_ml}
