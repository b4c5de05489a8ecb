"""Every status a vendor may return has a meaning; a new one in a new release fails here."""

from __future__ import annotations

import importlib

import pytest


def members(names: list[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def test_highs() -> None:
    import highspy

    table = importlib.import_module("netopt.solvers.highs").TERMINATION
    assert set(table) == set(highspy.HighsModelStatus.__members__) - {"kMin", "kMax"}


def test_gurobi() -> None:
    gurobipy = pytest.importorskip("gurobipy")
    table = importlib.import_module("netopt.solvers.gurobi").TERMINATION
    assert set(table) == members(dir(gurobipy.GRB.Status))


def test_scip() -> None:
    pyscipopt = pytest.importorskip("pyscipopt")
    table = importlib.import_module("netopt.solvers.scip").TERMINATION
    assert set(table) == {name.lower() for name in members(dir(pyscipopt.SCIP_STATUS))}


def test_pyomo() -> None:
    environ = pytest.importorskip("pyomo.environ")
    table = importlib.import_module("netopt.solvers.pyomo").TERMINATION
    assert set(table) == {member.name for member in environ.TerminationCondition}
