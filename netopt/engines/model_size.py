"""How large a network is as a model, and how much its linear relaxation knows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from formulations.big_m import BigM
from formulations.formulation import Formulation
from netopt.arrays import FloatArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.engines.milp import build_slack_model
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.solver import MilpSolver
from netopt.specification.domain import Domain


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Counts of a mixed-integer linear model.

    Attributes
    ----------
    rows, columns, nonzeros, binaries : of the model.
    lp_bound : upper bound of the objective by the linear relaxation, None where it was not asked for.
    """

    rows: int
    columns: int
    nonzeros: int
    binaries: int
    lp_bound: float | None = None


def model_size(
    network: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    *,
    formulation: Formulation | None = None,
    weights: FloatArray | None = None,
    solver: MilpSolver | None = None,
) -> ModelSize:
    """Write `network` over `domain` and count.

    Parameters
    ----------
    formulation : big-M by default.
    weights, solver : both given: the linear relaxation of ``maximise weights @ y`` is solved.

    Raises
    ------
    InputError
        The domain or the bounds do not fit the network.
    formulations.errors.FormulationError
        The formulation cannot write a layer.
    """
    objective = SlackObjective.linear(np.zeros(network.output_size) if weights is None else weights)
    model = build_slack_model(network, domain, objective, bounds, formulation or BigM()).model
    lp_bound = None
    if weights is not None and solver is not None:
        relaxed = replace(model, integral=np.zeros(model.column_count, dtype=bool))
        lp_bound = solver.solve(relaxed, SolverParameters()).dual_bound
    return ModelSize(
        rows=model.row_count,
        columns=model.column_count,
        nonzeros=int(model.matrix.nnz),
        binaries=int(model.integral.sum()),
        lp_bound=lp_bound,
    )
