"""Solvers by name, what they need, and what a licence allows."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

from formulations.milp import MilpBuilder, MilpModel
from netopt.errors import InvalidOptionError, SolverUnavailableError
from netopt.solvers import gurobi as gurobi_module
from netopt.solvers.gurobi import Gurobi
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.pyomo import PyomoSolver
from netopt.solvers.registry import SOLVERS, available_solvers, get_solver


def columns_and_rows(columns: int, rows: int) -> MilpModel:
    builder = MilpBuilder()
    x = builder.add_columns(columns, upper=1.0)
    builder.add_rows((x[:1], sparse.csr_array(np.ones((rows, 1)))), upper=1.0)
    builder.set_objective(x, np.ones(columns), maximize=True)
    return builder.build()


def test_names() -> None:
    assert {name: get_solver(name).name for name in SOLVERS} == {name: name for name in SOLVERS}
    assert get_solver("pyomo:glpk") == PyomoSolver("glpk")
    assert "highs" in available_solvers()
    assert set(available_solvers()) <= set(SOLVERS)
    for name in ("cplex", "pyomo:", ""):
        with pytest.raises(InvalidOptionError, match=r"take one of highs, gurobi, scip, pyomo:cbc, or pyomo:NAME"):
            get_solver(name)


@pytest.mark.parametrize(
    ("module", "name"), [("highspy", "highs"), ("gurobipy", "gurobi"), ("pyscipopt", "scip"), ("pyomo", "pyomo:cbc")]
)
def test_a_solver_that_is_not_installed_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda wanted: None)
    availability = get_solver(name).availability()
    assert not availability.usable
    assert f"pip install {module}".lower() in availability.reason.lower()
    with pytest.raises(SolverUnavailableError, match="not installed"):
        get_solver(name).solve(columns_and_rows(1, 1), SolverParameters())


def test_a_solver_that_pyomo_does_not_know_or_find() -> None:
    pytest.importorskip("pyomo")
    assert "no solver 'nonsense'" in PyomoSolver("nonsense").availability().reason
    assert "put it on the PATH" in PyomoSolver("xpress").availability().reason


def test_a_parameter_that_pyomo_cannot_pass_on_is_refused() -> None:
    pytest.importorskip("pyomo")
    solver = PyomoSolver("_mock_cbc")  # always there, and not in the table of names
    with pytest.raises(InvalidOptionError, match="_mock_cbc the parameter threads=2"):
        solver.solve(columns_and_rows(1, 1), SolverParameters(threads=2))


def test_the_licence_of_the_package_is_told_by_the_size() -> None:
    pytest.importorskip("gurobipy")
    problem, limited = gurobi_module._licence()
    if problem or not limited:
        pytest.skip("Gurobi has a licence other than the package's here")
    assert Gurobi().availability(columns_and_rows(2000, 2000)).usable
    for model in (columns_and_rows(2001, 1), columns_and_rows(1, 2001)):
        availability = Gurobi().availability(model)
        assert not availability.usable
        assert "2001" in availability.reason
        with pytest.raises(SolverUnavailableError, match="full licence"):
            Gurobi().solve(model, SolverParameters())
    result = Gurobi().solve(columns_and_rows(2000, 2000), SolverParameters())
    assert result.primal_bound == pytest.approx(2000.0)


def test_importing_the_registry_loads_no_vendor() -> None:
    code = (
        "import sys, netopt.solvers.registry, netopt.solvers.child;"
        "print([m for m in ('highspy', 'gurobipy', 'pyscipopt', 'pyomo', 'psutil') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
