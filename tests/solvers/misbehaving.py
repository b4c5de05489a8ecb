"""Solvers that break every promise, for `ChildSolver` to hold; a child process imports this module."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netopt.errors import InvalidOptionError
from netopt.solvers.result import SolverResult, Termination
from netopt.solvers.solver import Availability, Capabilities, MilpSolver


class StubbornError(RuntimeError):
    def __init__(self, first: int, second: int) -> None:  # cannot be unpickled: one argument is lost
        super().__init__(f"{first} and {second}")


@dataclass(frozen=True)
class Misbehaving(MilpSolver):
    """Reports the incumbent 1 and the bound 3 of `maximize x, x <= 5`, then does something bad."""

    how: str
    detail: str = ""
    name: ClassVar[str] = "misbehaving"
    capabilities: ClassVar[Capabilities] = Capabilities()

    def availability(self, model=None) -> Availability:
        return Availability(True)

    def version(self) -> str:
        return "0"

    def solve(self, model, parameters, *, start=None, on_incumbent=None, on_bound=None, interrupt=None):
        sys.stdout.write("a banner on stdout\n")
        sys.stdout.flush()
        if self.how == "works":
            return SolverResult(
                termination=Termination.OPTIMAL, primal_bound=5.0, dual_bound=5.0, point=np.array([5.0]), seconds=0.0
            )
        on_incumbent(1.0, np.array([1.0]))
        on_bound(3.0)
        getattr(self, f"_{self.how}")()
        raise AssertionError("it should not get here")

    def _sleeps(self) -> None:
        time.sleep(60.0)

    def _holds_the_lock(self) -> None:
        ctypes.PyDLL(None).sleep(60)  # no Python thread of the child runs meanwhile

    def _crashes(self) -> None:
        os.abort()

    def _exits(self) -> None:
        os._exit(7)

    def _eats_memory(self) -> None:
        held = []
        while True:
            held.append(np.ones(2**22))
            time.sleep(0.01)

    def _starts_a_program(self) -> None:
        program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        with open(self.detail, "w") as file:
            file.write(str(program.pid))
        time.sleep(60.0)

    def _refuses(self) -> None:
        raise InvalidOptionError("no such thing")

    def _raises_what_cannot_travel(self) -> None:
        raise StubbornError(1, 2)
