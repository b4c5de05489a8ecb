from __future__ import annotations

import subprocess
import sys

import pytest

import netopt

EXPECTED = {
    "BigM", "Box", "Case", "Conjunction", "DataBox", "DataHull", "DifferenceBounds", "Formulation", "FormulationError",
    "HarpOptions", "HarpResult", "HarpTraining", "Indicator", "InputError", "IntegerPoints", "InvalidOptionError",
    "L1Ball", "Mask", "MaximizationResult", "MaximizationStatus", "MultipleChoice", "NetoptError", "Network",
    "Partition", "Polytope", "PreactivationBounds", "Progress", "Property", "Pruned", "Reduction", "RelaxedSurrogate",
    "SolverFailureError", "SolverParameters", "SolverUnavailableError", "Sos1", "Surrogate", "SurrogateSolution",
    "Ticket", "Triangle", "UnsupportedModelError", "UnsupportedOperatorError", "VerificationResult",
    "VerificationStatus", "Witness", "__version__", "add_argmax_constr", "add_predictor_constr", "apply_mask",
    "compute_bounds", "difference_bounds", "encode", "find_ticket", "from_weights", "get_solver", "harp",
    "load_network", "maximize", "parse_formulation", "parse_surrogate", "prune", "read_vnnlib", "reduce_network",
    "solve_with_surrogate", "tighten", "verify", "worst_difference", "write_onnx", "write_vnnlib",
}  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert set(netopt.__all__) == EXPECTED
    assert dir(netopt) == sorted(netopt.__all__)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_public_name_loads_and_says_what_it_is(name: str) -> None:
    value = getattr(netopt, name)
    assert value is getattr(netopt, name)
    assert name == "__version__" or value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'veryfy'"):
        netopt.veryfy  # noqa: B018 - the access is what is tested


def test_importing_netopt_loads_no_numerical_library() -> None:
    code = (
        "import sys, time; begun = time.perf_counter(); import netopt; seconds = time.perf_counter() - begun;"
        "heavy = {'numpy', 'scipy', 'highspy', 'onnx', 'onnxruntime', 'torch', 'pandas', 'networkx', 'rich'};"
        "print(sorted(heavy & set(sys.modules)), seconds < 0.3)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[] True"
