"""The solvers and modelling libraries over which the contracts run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from modelling_libraries import LIBRARIES, Library

from netopt.solvers.child import ChildSolver
from netopt.solvers.registry import SOLVERS, get_solver
from netopt.solvers.solver import MilpSolver


@pytest.fixture(params=[*SOLVERS, "child of highs"], scope="module")
def solver(request: pytest.FixtureRequest) -> Iterator[MilpSolver]:
    if request.param == "child of highs":
        with ChildSolver(get_solver("highs")) as child:
            yield child
        return
    chosen = get_solver(request.param)
    availability = chosen.availability()
    if not availability.usable:
        pytest.skip(availability.reason)
    yield chosen


@pytest.fixture(params=sorted(LIBRARIES))
def library(request: pytest.FixtureRequest) -> Library:
    return LIBRARIES[request.param]()
