"""The installed command in processes of its own: start-up, limits, interrupts, exit statuses."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from activation_patterns import random_perceptron

from netopt.cli import main as command
from netopt.network.onnx_writer import write_onnx
from netopt.specification.box import Box
from netopt.specification.property import Case, Conjunction, Property
from netopt.specification.vnnlib_writer import write_vnnlib

NETOPT = [sys.executable, "-m", "netopt.cli.main"]
#: What no light command may load.
HEAVY = (
    "numpy",
    "scipy",
    "onnx",
    "onnxruntime",
    "torch",
    "highspy",
    "gurobipy",
    "pyscipopt",
    "pyomo",
    "pandas",
    "rich",
)


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A network and a property that nothing decides within a minute."""
    folder = tmp_path_factory.mktemp("hard")
    generator = np.random.default_rng(0)
    network = random_perceptron(generator, [24, 60, 60, 60, 2], scale=0.5).network
    box = Box(-np.ones(24), np.ones(24))
    best = float(network.forward(box.sample(generator, 2000))[:, 0].max())
    row = Conjunction(np.array([[-1.0, 0.0]]), np.array([-20.0 * abs(best)]))
    write_onnx(network, folder / "net.onnx")
    write_vnnlib(Property((Case(box, (row,)),), 24, 2), folder / "p.vnnlib")
    return folder / "net.onnx", folder / "p.vnnlib"


def run(*arguments: object, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*NETOPT, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"], ["campaign", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys; from netopt.cli.main import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit: pass\n"
        f"print(sorted({set(HEAVY)!r} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"


def test_a_proof_by_bounds_loads_bounds_alone(tmp_path: Path) -> None:
    network = random_perceptron(np.random.default_rng(0), [3, 5, 5, 1]).network
    box = Box(-np.ones(3), np.ones(3))
    write_onnx(network, tmp_path / "net.onnx")
    far = Conjunction(np.array([[-1.0]]), np.array([-1e6]))
    write_vnnlib(Property((Case(box, (far,)),), 3, 1), tmp_path / "p.vnnlib")
    of_libraries = {
        "click.testing",
        "lzma",
        "multiprocessing",
        "networkx",
        "numpy.ma",
        "numpy.random",
        "pydantic",
        "typer",
    }
    own = {"attack.gradient_ascent", "engines.branch_and_bound", "problems.proof_file", "specification.vnnlib2"}
    unneeded = {*HEAVY, *of_libraries, "vnnlib", *(f"netopt.{name}" for name in own)} - {"numpy"}
    script = (
        "import sys; from netopt.cli.main import app\n"
        f"try: app(['verify', {str(tmp_path / 'net.onnx')!r}, {str(tmp_path / 'p.vnnlib')!r}])\n"
        "except SystemExit: pass\n"
        f"print(sorted({unneeded!r} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.splitlines() == ["unsat", "[]"]


def test_help_takes_less_than_300_ms_of_processor_time() -> None:
    before = os.times()
    assert run("--help").returncode == 0
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < 0.3


def test_a_time_limit_holds_and_is_status_3(hard: tuple[Path, Path]) -> None:
    begun = time.monotonic()
    result = run("verify", *hard, "--time-limit", "2", "--json")
    content = json.loads(result.stdout)
    assert (result.returncode, content["status"]) == (3, "timeout")
    assert content["seconds"] < 3.0
    assert time.monotonic() - begun < 15.0  # with the start of Python on a busy machine
    result = run("maximize", hard[0], "--property", hard[1], "--output", "0", "--time-limit", "6")
    lines = result.stdout.splitlines()
    assert (result.returncode, lines[0]) == (3, "timeout")
    primal, dual = (float(line.split()[1]) for line in lines[1:])
    assert primal < dual < np.inf
    assert result.stderr.count("Traceback") == 0


def test_the_vnnlib_2_call_says_timed_out(hard: tuple[Path, Path], tmp_path: Path) -> None:
    text = hard[1].read_text()
    declared = "(declare-network N (declare-input X float32 [1,24]) (declare-output Y float32 [1,2]))\n"
    assertions = [line for line in text.splitlines() if line.startswith("(assert")]
    assert assertions
    named = re.sub(r"\b([XY])_(\d+)\b", r"\1[0,\2]", "\n".join(assertions))
    (tmp_path / "q.vnnlib").write_text(f"(vnnlib-version <2.0>)\n{declared}{named}\n")
    result = run("verify", tmp_path / "q.vnnlib", "--network", f"N={hard[0]}", "--timeout", "2")
    assert (result.returncode, result.stdout) == (3, "timed-out\n"), result.stderr


@pytest.mark.parametrize("name", ["verify", "maximize"])
def test_an_interrupt_prints_the_best_result_so_far(hard: tuple[Path, Path], name: str) -> None:
    chosen = [hard[1]] if name == "verify" else ["--property", hard[1], "--output", "0"]
    arguments = [*NETOPT, name, str(hard[0]), *map(str, chosen), "--json"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(6.0)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20.0)
    assert process.returncode == 130, errors
    content = json.loads(output)
    assert content["interrupted"] is True
    assert content["status"] in ("unknown", "feasible")
    if name == "maximize":
        assert content["primal_bound"] < content["dual_bound"]
    assert "Traceback" not in errors


def test_an_interrupt_while_files_are_read(tmp_path: Path) -> None:
    """Reading from a pipe that nobody writes to: there is no result yet."""
    os.mkfifo(tmp_path / "net.onnx")
    with subprocess.Popen(
        [*NETOPT, "info", str(tmp_path / "net.onnx")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        writer = os.open(tmp_path / "net.onnx", os.O_WRONLY)  # returns once the command has opened it
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20.0)
        os.close(writer)
    assert (process.returncode, output, errors) == (130, "", "netopt: interrupted\n")


def test_nothing_but_errors_on_standard_error_when_quiet(hard: tuple[Path, Path]) -> None:
    result = run("verify", *hard, "--time-limit", "1", "--quiet")
    assert (result.returncode, result.stdout, result.stderr) == (3, "timeout\n", "")


def test_a_fault_of_our_own_is_status_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(command, "app", broken)
    assert command.main() == 1
    errors = capsys.readouterr().err
    assert "ZeroDivisionError: a fault" in errors
    assert "netopt: internal error; please report it" in errors


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    shell = f"{' '.join(NETOPT)} supports --onnx-operators | head -1"
    result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    assert result.stdout == "Abs\n"
    assert "Traceback" not in result.stderr


def test_enormous_inputs_give_bounds_and_no_warnings(tmp_path: Path) -> None:
    network = random_perceptron(np.random.default_rng(0), [3, 8, 8, 1]).network
    write_onnx(network, tmp_path / "net.onnx")
    result = run("maximize", tmp_path / "net.onnx", "--lower=-1e300", "--upper", "1e300", "--time-limit", "4")
    assert result.returncode in (0, 3)
    assert result.stderr == ""
    primal, dual = (float(line.split()[1]) for line in result.stdout.splitlines()[1:])
    assert primal <= dual


def test_a_full_disk_is_one_sentence_and_the_answer_is_printed(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    write_onnx(random_perceptron(np.random.default_rng(0), [3, 4, 1]).network, tmp_path / "net.onnx")
    result = run("maximize", tmp_path / "net.onnx", "--lower", "0", "--upper", "1", "--results-file", full)
    assert (result.returncode, result.stdout.split("\n", 1)[0]) == (2, "optimal")
    assert result.stderr == (
        "netopt: a result cannot be written (No space left on device); make room, or give another path\n"
    )
