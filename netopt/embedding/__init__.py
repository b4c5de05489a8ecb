"""Trained networks inside models that users write with Pyomo, gurobipy, highspy or pyscipopt."""

from netopt.embedding.argmax import ArgmaxConstraint, add_argmax_constr
from netopt.embedding.prediction import PredictorConstraint
from netopt.embedding.predictor import add_predictor_constr
from netopt.embedding.surrogate_solution import SurrogateSolution
from netopt.embedding.surrogate_solve import solve_with_surrogate
from netopt.embedding.trust_region import DataBox, DataHull, TrustRegion

__all__ = [
    "ArgmaxConstraint",
    "DataBox",
    "DataHull",
    "PredictorConstraint",
    "SurrogateSolution",
    "TrustRegion",
    "add_argmax_constr",
    "add_predictor_constr",
    "solve_with_surrogate",
]
