"""The peers' side: their documented calls and default formulations, then the solver they are made for."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from peer_networks import fitted_regressor, omlt_definition

GAP = 1e-4
Arrays = list[np.ndarray]


def omlt_highs(
    weights: Arrays, biases: Arrays, lower: np.ndarray, upper: np.ndarray, objective: np.ndarray, limit: float
) -> dict[str, Any]:
    """OMLT's big-M in Pyomo, solved by HiGHS."""
    import pyomo.environ as pyo
    from omlt import OmltBlock
    from omlt.neuralnet import ReluBigMFormulation
    from pyomo.contrib.appsi.base import TerminationCondition
    from pyomo.contrib.appsi.solvers import Highs

    logging.getLogger("pyomo").setLevel(logging.ERROR)  # its warnings on OMLT's initial values would cost OMLT time
    model = pyo.ConcreteModel()
    model.network = OmltBlock()
    model.network.build_formulation(ReluBigMFormulation(omlt_definition(weights, biases, lower, upper)))
    value = sum(float(c) * model.network.outputs[k] for k, c in enumerate(objective) if c)
    model.margin = pyo.Objective(expr=value, sense=pyo.maximize)
    solver = Highs()
    solver.config.load_solution = False
    solver.config.time_limit = limit
    solver.highs_options = {"threads": 1, "mip_rel_gap": GAP}
    answer = solver.solve(model)
    return {
        "solved": answer.termination_condition == TerminationCondition.optimal,
        "primal": answer.best_feasible_objective,
        "dual": answer.best_objective_bound,
    }


def pyscipopt_ml(
    weights: Arrays, biases: Arrays, lower: np.ndarray, upper: np.ndarray, objective: np.ndarray, limit: float
) -> dict[str, Any]:
    """PySCIPOpt-ML's SOS1 formulation, solved by SCIP."""
    import pyscipopt
    from pyscipopt_ml.add_predictor import add_predictor_constr

    model = pyscipopt.Model()
    model.hideOutput()
    model.setParam("limits/time", limit)
    model.setParam("limits/gap", GAP)
    bounds = zip(lower.tolist(), upper.tolist(), strict=True)
    x = np.array([model.addVar(lb=low, ub=high) for low, high in bounds], dtype=object)
    y = np.array([model.addVar(lb=None) for _ in objective], dtype=object)
    add_predictor_constr(model, fitted_regressor(weights, biases), x.reshape(1, -1), y.reshape(1, -1))
    model.setObjective(pyscipopt.quicksum(float(c) * y[k] for k, c in enumerate(objective) if c), "maximize")
    model.optimize()
    found = model.getNSols() > 0
    return {
        "solved": model.getStatus() in ("optimal", "gaplimit"),
        "primal": model.getPrimalbound() if found else None,
        "dual": model.getDualbound(),
    }


def gurobi_ml(
    weights: Arrays, biases: Arrays, lower: np.ndarray, upper: np.ndarray, objective: np.ndarray, limit: float
) -> dict[str, Any]:
    """gurobi-ml's max constraints, solved by Gurobi."""
    import gurobipy
    from gurobi_ml import add_predictor_constr

    parameters = {"OutputFlag": 0, "Threads": 1, "TimeLimit": limit, "MIPGap": GAP}
    model = gurobipy.Model(env=gurobipy.Env(params=parameters))
    x = model.addMVar((1, lower.size), lb=lower[None], ub=upper[None])
    y = model.addMVar((1, objective.size), lb=-gurobipy.GRB.INFINITY)
    add_predictor_constr(model, fitted_regressor(weights, biases), x, y)
    model.setObjective((y @ objective).sum(), gurobipy.GRB.MAXIMIZE)
    model.optimize()
    return {
        "solved": model.Status == gurobipy.GRB.OPTIMAL,
        "primal": model.ObjVal if model.SolCount else None,
        "dual": model.ObjBound,
    }


TOOLS = {"omlt+highs": omlt_highs, "pyscipopt-ml+scip": pyscipopt_ml, "gurobi-ml+gurobi": gurobi_ml}
