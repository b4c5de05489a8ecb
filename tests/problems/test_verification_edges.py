"""Limits, interrupts, contradictions, empty domains, files: all of `verify` but the verdict on random networks."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from activation_patterns import random_perceptron
from lying_solver import Liar
from result_schema import validate

from netopt.errors import UnsupportedModelError
from netopt.network.build import from_weights
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.network.onnx_writer import write_onnx
from netopt.problems.run import Progress
from netopt.problems.verification import verify
from netopt.solvers.highs import Highs
from netopt.solvers.result import Termination
from netopt.specification.box import Box
from netopt.specification.property import Case, Conjunction, Property
from netopt.specification.vnnlib_writer import write_vnnlib

ABSOLUTE = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])  # |x|
#: |x| + |y| - |x + y| - |x - y|, at most 0, which no relaxation of single neurons comes near: only a solver proves it.
RIDGE = from_weights(
    [
        [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]],
        [[1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0]],
    ],
    [np.zeros(8), [0.0]],
)


def at_least(bound: float, lower: float = -1.0, upper: float = 1.0) -> Property:
    """Return the property ``y >= bound`` over an interval."""
    case = Case(Box(np.array([lower]), np.array([upper])), (Conjunction(np.array([[-1.0]]), np.array([-bound])),))
    return Property((case,), 1, 1)


def ridge_at_least(bound: float) -> Property:
    """Return the property ``output >= bound`` of `RIDGE`; satisfiable up to a bound of 0."""
    case = Case(Box(-np.ones(2), np.full(2, 0.9)), (Conjunction(np.array([[-1.0]]), np.array([-bound])),))
    return Property((case,), 2, 1)


def hard_problem(generator_seed: int = 0) -> tuple[Network, Property]:
    """Return a problem that no stage decides in seconds."""
    generator = np.random.default_rng(generator_seed)
    network = random_perceptron(generator, [24, 60, 60, 60, 2], scale=0.5).network
    box = Box(-np.ones(24), np.ones(24))
    best = float(network.forward(box.sample(generator, 2000))[:, 0].max())
    row = Conjunction(np.array([[-1.0, 0.0]]), np.array([-20.0 * abs(best)]))
    return network, Property((Case(box, (row,)),), 24, 2)


@pytest.mark.parametrize(
    ("prop", "status"),
    [(at_least(0.5), "sat"), (at_least(1.5), "unsat"), (at_least(1.0), "sat"), (at_least(0.75, 0.75, 0.75), "sat")],
)
def test_the_json_follows_the_schema(prop: Property, status: str) -> None:
    result = verify(ABSOLUTE, prop, isolate=False)
    assert result.status == status
    validate(result)


def test_an_empty_domain_is_unsat_with_a_notice() -> None:
    result = verify(ABSOLUTE, at_least(0.5, 1.0, -1.0), isolate=False)
    assert result.status == "unsat"
    assert "empty" in result.notices[0]
    assert result.proved_by == ("empty domain",)
    validate(result)


def test_no_disjunct_at_all_is_unsat_and_an_empty_conjunction_is_sat() -> None:
    box = Box(np.zeros(1), np.ones(1))
    never = Property((Case(box, ()),), 1, 1)
    always = Property((Case(box, (Conjunction(np.empty((0, 1)), np.empty(0)),)),), 1, 1)
    assert verify(ABSOLUTE, never, isolate=False).status == "unsat"
    assert verify(ABSOLUTE, always, isolate=False).status == "sat"


def test_the_witness_is_replayed_on_the_file(tmp_path: Path) -> None:
    write_onnx(ABSOLUTE, tmp_path / "net.onnx")
    write_vnnlib(at_least(0.5), tmp_path / "prop.vnnlib")
    result = verify(tmp_path / "net.onnx", tmp_path / "prop.vnnlib", isolate=False)
    assert result.status == "sat"
    assert result.notices == ()
    assert result.witness is not None
    assert abs(result.witness.x[0]) >= 0.5
    validate(result)


def test_a_witness_that_only_float64_accepts_is_unknown(tmp_path: Path) -> None:
    network = from_weights([[[1.0]], [[1.0]]], [[2.0**25], [-(2.0**25)]])  # the identity, but not in float32
    write_onnx(network, tmp_path / "net.onnx")
    prop = at_least(0.75, 0.5, 1.0)
    result = verify(load_network(tmp_path / "net.onnx"), prop, isolate=False, time_limit=20.0)
    assert result.status == "unknown"
    assert result.near_witness is not None
    assert any("onnxruntime" in notice for notice in result.notices)
    validate(result)


def test_a_point_good_only_within_the_tolerance_is_unknown_and_told() -> None:
    result = verify(RIDGE, ridge_at_least(5e-7), solver="highs", isolate=False)
    assert result.status == "unknown"
    assert result.near_witness is not None
    assert -1e-4 <= result.near_witness.y[0] < 5e-7
    assert any("tolerance of zero" in notice for notice in result.notices)
    validate(result)


@pytest.mark.parametrize("limit", [0.3, 1.5])
@pytest.mark.parametrize("isolate", [True, False])
def test_the_time_limit_holds_for_the_whole_call(limit: float, isolate: bool) -> None:
    network, prop = hard_problem()
    begun = time.monotonic()
    result = verify(network, prop, time_limit=limit, isolate=isolate)
    assert time.monotonic() - begun < limit + 1.0
    assert result.status == "timeout"
    validate(result)


def test_an_interrupt_from_another_thread_ends_the_call() -> None:
    network, prop = hard_problem()
    interrupt = threading.Event()
    threading.Timer(1.0, interrupt.set).start()
    begun = time.monotonic()
    result = verify(network, prop, interrupt=interrupt, isolate=False)
    assert time.monotonic() - begun < 3.0
    assert result.status == "unknown"
    assert result.interrupted
    validate(result)


def test_ctrl_c_returns_what_is_known_and_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "script.py"  # without a __main__ guard, as users write it
    script.write_text(
        "import numpy as np, netopt\n"
        "g = np.random.default_rng(0)\n"
        "sizes = [30, 120, 120, 120, 1]\n"
        "w = [g.normal(size=(b, a)) for a, b in zip(sizes, sizes[1:])]\n"
        "net = netopt.from_weights(w, [np.zeros(b) for b in sizes[1:]])\n"
        "def told(progress):\n"
        "    if progress.stage == 'relaxation': print('solving', flush=True)\n"
        "box = netopt.Box(-np.ones(30), np.ones(30))\n"
        "result = netopt.maximize(net, box, progress=told)\n"
        "print(result.status.value, result.interrupted, result.primal_bound < result.dual_bound, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "solving\n"
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(timeout=10) == 0
    assert rest.splitlines()[-1] == "feasible True True"
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive


def test_progress_is_told() -> None:
    seen: list[Progress] = []
    verify(ABSOLUTE, at_least(1.5), isolate=False, progress=seen.append)
    assert seen
    assert seen[-1].dual_bound is not None
    assert seen[-1].dual_bound < 0.0


@pytest.mark.parametrize(
    ("termination", "dual_bound", "said"),
    [
        (Termination.OPTIMAL, -0.5, "contradiction"),
        (Termination.INFEASIBLE, -np.inf, "infeasible"),
        (Termination.ERROR, np.inf, "error"),
        (Termination.OPTIMAL, 0.4, "no replayed point"),
    ],
)
def test_a_solver_that_is_wrong_never_makes_a_verdict(termination: Termination, dual_bound: float, said: str) -> None:
    prop = ridge_at_least(1e-3)  # unsat by 1e-3, and open after CROWN
    result = verify(RIDGE, prop, solver=Liar(termination, dual_bound), isolate=False)
    assert result.status == "unknown", result.to_json()
    assert any(said in notice for notice in result.notices), result.notices
    validate(result)


def test_a_solver_that_disagrees_withdraws_the_proof() -> None:
    prop = ridge_at_least(0.5)
    assert verify(RIDGE, prop, solver="highs", isolate=False).status == "unsat"
    result = verify(RIDGE, prop, solver="highs", confirm=Liar(Termination.OPTIMAL, 0.3), isolate=False)
    assert result.status == "unknown"
    assert result.confirmed_by is None
    assert any("liar" in notice for notice in result.notices)


def test_what_cannot_be_used_is_refused_in_one_sentence() -> None:
    prop = at_least(0.5)
    two = from_weights([np.eye(2)], [np.zeros(2)])
    for match, call in {
        "about 1 inputs and the network has 2": lambda: verify(two, prop),
        "there is no solver 'cplexx'": lambda: verify(ABSOLUTE, prop, solver="cplexx"),
        "bounds is 'tight'": lambda: verify(ABSOLUTE, prop, bounds="tight"),
        "time_limit is -1": lambda: verify(ABSOLUTE, prop, time_limit=-1),
        "threads is 0": lambda: verify(ABSOLUTE, prop, threads=0),
        "memory_limit is 0": lambda: verify(ABSOLUTE, prop, memory_limit=0),
        "there is no formulation": lambda: verify(ABSOLUTE, prop, formulation="bigM"),
    }.items():
        with pytest.raises(ValueError, match=match):
            call()
    with pytest.raises(UnsupportedModelError, match="sos1"):
        verify(ABSOLUTE, prop, formulation="sos1", solver=Highs())
