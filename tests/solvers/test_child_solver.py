"""The limits of `ChildSolver` hold whatever the solver inside does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from milp_models import HARD_OPTIMUM, hard_knapsack, market_split
from misbehaving import Misbehaving

from formulations.milp import MilpBuilder, MilpModel
from netopt.errors import InputError, InvalidOptionError, SolverFailureError
from netopt.solvers import worker_process
from netopt.solvers.child import ChildSolver
from netopt.solvers.highs import Highs
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.pyomo import PyomoSolver
from netopt.solvers.result import SolverResult, Termination


def model() -> MilpModel:
    builder = MilpBuilder()
    x = builder.add_columns(1, upper=5.0)
    builder.set_objective(x, np.ones(1), maximize=True)
    return builder.build()


def solve(how: str, *, memory_limit: float | None = None, detail: str = "", **parameters: float) -> SolverResult:
    with ChildSolver(Misbehaving(how, detail), memory_limit) as solver:
        time.sleep(0.5)  # the limits below are about the solver, not about starting
        return solver.solve(model(), SolverParameters(**parameters))  # type: ignore[arg-type] # by name


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("how", ["sleeps", "holds_the_lock"])
def test_a_solver_that_ignores_its_time_limit_is_killed_and_what_it_streamed_is_kept(how: str) -> None:
    with ChildSolver(Misbehaving(how)) as solver:
        time.sleep(0.5)
        began = time.monotonic()
        result = solver.solve(model(), SolverParameters(time_limit=1.5))
        assert time.monotonic() - began < 2.5
    assert result.termination is Termination.TIME_LIMIT
    assert (result.primal_bound, result.dual_bound) == (1.0, 3.0)
    assert np.array_equal(result.point, [1.0])
    assert "killed" in result.vendor_status


def test_a_time_limit_holds_while_the_child_still_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "_BOOT", f"import time; time.sleep(5.0); {worker_process._BOOT}")
    began = time.monotonic()
    result = ChildSolver(Misbehaving("sleeps")).solve(model(), SolverParameters(time_limit=0.01), start=np.ones(1))
    assert time.monotonic() - began < 1.01
    assert result.termination is Termination.TIME_LIMIT
    assert (result.primal_bound, result.dual_bound) == (1.0, np.inf)


def test_an_interrupt_that_is_not_obeyed_kills() -> None:
    interrupt, began = threading.Event(), time.monotonic()
    with ChildSolver(Misbehaving("sleeps")) as solver:
        result = solver.solve(model(), SolverParameters(), on_bound=lambda bound: interrupt.set(), interrupt=interrupt)
    assert result.termination is Termination.INTERRUPTED
    assert result.dual_bound == 3.0
    assert time.monotonic() - began < 8.0


@pytest.mark.parametrize(("how", "status"), [("crashes", -signal.SIGABRT), ("exits", 7)])
def test_the_death_of_the_child_is_an_error_and_the_bounds_before_it_stand(how: str, status: int) -> None:
    result = solve(how, time_limit=20.0)
    assert result.termination is Termination.ERROR
    assert (result.primal_bound, result.dual_bound) == (1.0, 3.0)
    assert str(int(status)) in result.vendor_status


def test_a_memory_limit_kills() -> None:
    result = solve("eats_memory", memory_limit=400 * 2.0**20, time_limit=20.0)
    assert result.termination is Termination.MEMORY_LIMIT
    assert (result.primal_bound, result.dual_bound) == (1.0, 3.0)


def test_programs_that_the_solver_started_die_with_it(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    solve("starts_a_program", detail=str(file), time_limit=2.0)
    pid = int(file.read_text())
    assert wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_errors_cross_the_pipe_and_the_child_goes_on() -> None:
    others = set(psutil.Process().children())
    with ChildSolver(Misbehaving("refuses")) as solver:
        for _ in range(2):
            with pytest.raises(InvalidOptionError, match="no such thing"):
                solver.solve(model(), SolverParameters())
        assert len(set(psutil.Process().children()) - others) == 1
    with pytest.raises(SolverFailureError, match="StubbornError: 1 and 2"):
        solve("raises_what_cannot_travel")


def test_a_solver_that_cannot_travel_is_refused() -> None:
    @dataclass(frozen=True)
    class Local(Misbehaving):
        pass

    with pytest.raises(InputError, match="define it in a module"):
        ChildSolver(Local("works")).solve(model(), SolverParameters())


def test_one_child_serves_many_solves_and_none_is_left_behind() -> None:
    before = set(psutil.Process().children())
    with ChildSolver(Misbehaving("works")) as solver:
        pids = set()
        for _ in range(3):
            assert solver.solve(model(), SolverParameters()).primal_bound == 5.0
            pids |= {child.pid for child in psutil.Process().children()} - {child.pid for child in before}
        assert len(pids) == 1
        killed = psutil.Process(pids.pop())
        killed.kill()  # between two solves
        assert wait_for(lambda: not killed.is_running() or killed.status() == psutil.STATUS_ZOMBIE)
        assert solver.solve(model(), SolverParameters()).primal_bound == 5.0
    assert wait_for(lambda: set(psutil.Process().children()) <= before)
    forgotten = ChildSolver(Misbehaving("works"))
    forgotten.solve(model(), SolverParameters())
    del forgotten
    assert wait_for(lambda: set(psutil.Process().children()) <= before)


def test_concurrent_solves_get_a_child_each() -> None:
    results: list[SolverResult] = []
    with ChildSolver(Highs()) as solver:
        threads = [
            threading.Thread(
                target=lambda: results.append(solver.solve(hard_knapsack(), SolverParameters(time_limit=2.0)))
            )
            for _ in range(2)
        ]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert time.monotonic() - began < 3.5
    assert len(results) == 2
    assert all(result.dual_bound >= HARD_OPTIMUM for result in results)


def test_pyomo_in_a_child_can_be_interrupted() -> None:
    solver = PyomoSolver("cbc")
    availability = solver.availability()
    if not availability.usable:
        pytest.skip(availability.reason)
    interrupt = threading.Event()
    with ChildSolver(solver) as child:
        child.solve(model(), SolverParameters())  # Pyomo is loaded
        threading.Timer(0.3, interrupt.set).start()
        result = child.solve(market_split(), SolverParameters(), interrupt=interrupt)
    assert result.termination is Termination.INTERRUPTED
    assert result.seconds < 2.5


SCRIPT = """
    import sys
    sys.path[:0] = {path!r}
    import numpy as np
    from milp_models import market_split
    from misbehaving import Misbehaving
    from netopt.solvers.child import ChildSolver
    from netopt.solvers.highs import Highs
    from netopt.solvers.parameters import SolverParameters
"""


def start_script(body: str) -> subprocess.Popen[str]:
    """Run a script without ``if __name__ == "__main__"`` in a session of its own."""
    tests = Path(__file__).resolve().parent
    head = SCRIPT.format(path=[str(tests), str(tests.parent), str(tests.parents[1])])
    code = textwrap.dedent(head) + textwrap.dedent(body)
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def test_a_script_needs_no_main_guard_and_keeps_its_stdout_to_itself() -> None:
    script = start_script("""
        from formulations.milp import MilpBuilder
        builder = MilpBuilder()
        builder.set_objective(builder.add_columns(1, upper=5.0), np.ones(1), maximize=True)
        print(ChildSolver(Misbehaving("works")).solve(builder.build(), SolverParameters()).primal_bound)
    """)
    out, err = script.communicate(timeout=30)
    assert (script.returncode, out) == (0, "5.0\n"), err
    assert err == "a banner on stdout\n"


def test_ctrl_c_in_a_terminal_leaves_the_decision_to_the_parent() -> None:
    script = start_script("""
        said = []
        def on_incumbent(value, point):
            said.append(value)  # before the parent hears of it and interrupts
            if len(said) == 1:
                print("running", flush=True)
        solver = ChildSolver(Highs())
        result = solver.solve(market_split(), SolverParameters(time_limit=30.0), on_incumbent=on_incumbent)
        print(result.termination.value, result.primal_bound == said[-1], flush=True)
    """)
    assert script.stdout is not None
    assert script.stdout.readline() == "running\n"
    os.killpg(script.pid, signal.SIGINT)  # as a terminal does
    began = time.monotonic()
    out, err = script.communicate(timeout=30)
    assert out == "interrupted True\n", err
    assert time.monotonic() - began < 4.0


def test_the_child_dies_with_a_parent_that_is_killed() -> None:
    script = start_script("""
        from formulations.milp import MilpBuilder
        builder = MilpBuilder()
        builder.set_objective(builder.add_columns(1, upper=5.0), np.ones(1), maximize=True)
        running = lambda bound: print("running", flush=True)
        ChildSolver(Misbehaving("sleeps")).solve(builder.build(), SolverParameters(), on_bound=running)
    """)
    assert script.stdout is not None
    assert script.stdout.readline() == "running\n"
    (child,) = psutil.Process(script.pid).children()
    script.kill()
    script.communicate(timeout=30)
    assert wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
