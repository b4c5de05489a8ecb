"""The peers' side, by their own documented calls on predictors that are in memory already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Job = tuple[Callable[[], Any], Callable[[], dict[str, int]]]


def _regressor(weights: list[np.ndarray], biases: list[np.ndarray]) -> Any:
    """Return a fitted scikit-learn regressor with these weights."""
    from sklearn.neural_network import MLPRegressor

    inputs, outputs = weights[0].shape[1], weights[-1].shape[0]
    regressor = MLPRegressor(hidden_layer_sizes=tuple(bias.size for bias in biases[:-1]), max_iter=1)
    regressor.coefs_ = [weight.T.copy() for weight in weights]
    regressor.intercepts_ = [bias.copy() for bias in biases]
    regressor.n_layers_ = len(weights) + 1
    regressor.n_outputs_ = outputs
    regressor.n_features_in_ = inputs
    regressor.out_activation_ = "identity"
    return regressor


def omlt(weights: list[np.ndarray], biases: list[np.ndarray]) -> Job:
    """Embed with OMLT's big-M ReLU formulation and its interval bounds."""
    import pyomo.environ as pyo
    from omlt import OmltBlock
    from omlt.neuralnet import NetworkDefinition, ReluBigMFormulation
    from omlt.neuralnet.layer import DenseLayer, InputLayer

    inputs = weights[0].shape[1]
    definition = NetworkDefinition(scaled_input_bounds=dict.fromkeys(range(inputs), (0.0, 1.0)))
    previous = InputLayer([inputs])
    definition.add_layer(previous)
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        activation = "linear" if k == len(weights) - 1 else "relu"
        layer = DenseLayer([weight.shape[1]], [weight.shape[0]], weight.T, bias, activation=activation)
        definition.add_layer(layer)
        definition.add_edge(previous, layer)
        previous = layer
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
    regressor = _regressor(weights, biases)
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
    regressor = _regressor(weights, biases)
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
    regressor = _regressor(weights, biases)
    return (
        lambda: add_predictor_constr(model, regressor, x),
        lambda: {"rows": model.getNumRow(), "columns": model.getNumCol()},
    )


TOOLS = {"omlt": omlt, "pyscipopt-ml": pyscipopt_ml, "gurobi-ml": gurobi_ml, "highs-ml": highs_ml}
