"""Optimise over trained ReLU networks: verify, maximise and embed them with any MILP solver.

The public names are loaded when first used: ``import netopt`` itself loads no numerical library and no solver.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from formulations.big_m import BigM
    from formulations.errors import FormulationError
    from formulations.formulation import Formulation
    from formulations.indicator import Indicator
    from formulations.multiple_choice import MultipleChoice
    from formulations.partition import Partition
    from formulations.registry import parse_formulation
    from formulations.sos1 import Sos1
    from formulations.triangle import Triangle
    from netopt.bounds.compute import compute_bounds
    from netopt.bounds.difference import DifferenceBounds, difference_bounds
    from netopt.bounds.preactivation import PreactivationBounds
    from netopt.embedding.argmax import add_argmax_constr
    from netopt.embedding.predictor import add_predictor_constr
    from netopt.embedding.surrogate_solution import SurrogateSolution
    from netopt.embedding.surrogate_solve import solve_with_surrogate
    from netopt.embedding.trust_region import DataBox, DataHull
    from netopt.encoding.encode import encode
    from netopt.errors import (
        InputError,
        InvalidOptionError,
        NetoptError,
        SolverFailureError,
        SolverUnavailableError,
        UnsupportedModelError,
        UnsupportedOperatorError,
    )
    from netopt.network.build import from_weights
    from netopt.network.load import load_network
    from netopt.network.network import Network
    from netopt.network.onnx_writer import write_onnx
    from netopt.problems.maximization import maximize
    from netopt.problems.results import (
        MaximizationResult,
        MaximizationStatus,
        VerificationResult,
        VerificationStatus,
        Witness,
    )
    from netopt.problems.run import Progress
    from netopt.problems.surrogate.options import RelaxedSurrogate, Surrogate, parse_surrogate
    from netopt.problems.verification import verify
    from netopt.problems.worst_difference import worst_difference
    from netopt.pruning.apply import apply_mask
    from netopt.pruning.harp.options import HarpOptions
    from netopt.pruning.harp.result import HarpResult
    from netopt.pruning.harp.training import HarpTraining, harp
    from netopt.pruning.mask import Mask
    from netopt.pruning.prune import Pruned, prune
    from netopt.reduction.reduce import Reduction, reduce_network
    from netopt.solvers.parameters import SolverParameters
    from netopt.solvers.registry import get_solver
    from netopt.specification.box import Box
    from netopt.specification.integer import IntegerPoints
    from netopt.specification.l1_ball import L1Ball
    from netopt.specification.polytope import Polytope
    from netopt.specification.property import Case, Conjunction, Property
    from netopt.specification.vnnlib import read_vnnlib
    from netopt.specification.vnnlib_writer import write_vnnlib
    from netopt.ticket.ticket import Ticket, find_ticket
    from netopt.tightening.levels import tighten

#: Public name -> the module that defines it.
_HOMES = MappingProxyType(
    {
        "BigM": "formulations.big_m",
        "Box": "netopt.specification.box",
        "Case": "netopt.specification.property",
        "Conjunction": "netopt.specification.property",
        "DataBox": "netopt.embedding.trust_region",
        "DataHull": "netopt.embedding.trust_region",
        "DifferenceBounds": "netopt.bounds.difference",
        "Formulation": "formulations.formulation",
        "FormulationError": "formulations.errors",
        "HarpOptions": "netopt.pruning.harp.options",
        "HarpResult": "netopt.pruning.harp.result",
        "HarpTraining": "netopt.pruning.harp.training",
        "Indicator": "formulations.indicator",
        "InputError": "netopt.errors",
        "IntegerPoints": "netopt.specification.integer",
        "InvalidOptionError": "netopt.errors",
        "L1Ball": "netopt.specification.l1_ball",
        "Mask": "netopt.pruning.mask",
        "MaximizationResult": "netopt.problems.results",
        "MaximizationStatus": "netopt.problems.results",
        "MultipleChoice": "formulations.multiple_choice",
        "NetoptError": "netopt.errors",
        "Network": "netopt.network.network",
        "Partition": "formulations.partition",
        "Polytope": "netopt.specification.polytope",
        "PreactivationBounds": "netopt.bounds.preactivation",
        "Progress": "netopt.problems.run",
        "Property": "netopt.specification.property",
        "Pruned": "netopt.pruning.prune",
        "Reduction": "netopt.reduction.reduce",
        "RelaxedSurrogate": "netopt.problems.surrogate.options",
        "SolverFailureError": "netopt.errors",
        "SolverParameters": "netopt.solvers.parameters",
        "SolverUnavailableError": "netopt.errors",
        "Sos1": "formulations.sos1",
        "Surrogate": "netopt.problems.surrogate.options",
        "SurrogateSolution": "netopt.embedding.surrogate_solution",
        "Ticket": "netopt.ticket.ticket",
        "Triangle": "formulations.triangle",
        "UnsupportedModelError": "netopt.errors",
        "UnsupportedOperatorError": "netopt.errors",
        "VerificationResult": "netopt.problems.results",
        "VerificationStatus": "netopt.problems.results",
        "Witness": "netopt.problems.results",
        "add_argmax_constr": "netopt.embedding.argmax",
        "add_predictor_constr": "netopt.embedding.predictor",
        "apply_mask": "netopt.pruning.apply",
        "compute_bounds": "netopt.bounds.compute",
        "difference_bounds": "netopt.bounds.difference",
        "encode": "netopt.encoding.encode",
        "find_ticket": "netopt.ticket.ticket",
        "from_weights": "netopt.network.build",
        "get_solver": "netopt.solvers.registry",
        "harp": "netopt.pruning.harp.training",
        "load_network": "netopt.network.load",
        "maximize": "netopt.problems.maximization",
        "parse_formulation": "formulations.registry",
        "parse_surrogate": "netopt.problems.surrogate.options",
        "prune": "netopt.pruning.prune",
        "read_vnnlib": "netopt.specification.vnnlib",
        "reduce_network": "netopt.reduction.reduce",
        "solve_with_surrogate": "netopt.embedding.surrogate_solve",
        "tighten": "netopt.tightening.levels",
        "verify": "netopt.problems.verification",
        "worst_difference": "netopt.problems.worst_difference",
        "write_onnx": "netopt.network.onnx_writer",
        "write_vnnlib": "netopt.specification.vnnlib_writer",
    }
)

__all__ = [
    "BigM",
    "Box",
    "Case",
    "Conjunction",
    "DataBox",
    "DataHull",
    "DifferenceBounds",
    "Formulation",
    "FormulationError",
    "HarpOptions",
    "HarpResult",
    "HarpTraining",
    "Indicator",
    "InputError",
    "IntegerPoints",
    "InvalidOptionError",
    "L1Ball",
    "Mask",
    "MaximizationResult",
    "MaximizationStatus",
    "MultipleChoice",
    "NetoptError",
    "Network",
    "Partition",
    "Polytope",
    "PreactivationBounds",
    "Progress",
    "Property",
    "Pruned",
    "Reduction",
    "RelaxedSurrogate",
    "SolverFailureError",
    "SolverParameters",
    "SolverUnavailableError",
    "Sos1",
    "Surrogate",
    "SurrogateSolution",
    "Ticket",
    "Triangle",
    "UnsupportedModelError",
    "UnsupportedOperatorError",
    "VerificationResult",
    "VerificationStatus",
    "Witness",
    "__version__",
    "add_argmax_constr",
    "add_predictor_constr",
    "apply_mask",
    "compute_bounds",
    "difference_bounds",
    "encode",
    "find_ticket",
    "from_weights",
    "get_solver",
    "harp",
    "load_network",
    "maximize",
    "parse_formulation",
    "parse_surrogate",
    "prune",
    "read_vnnlib",
    "reduce_network",
    "solve_with_surrogate",
    "tighten",
    "verify",
    "worst_difference",
    "write_onnx",
    "write_vnnlib",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first used."""
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version("netopt")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'netopt' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
