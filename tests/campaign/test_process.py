"""Processes that cannot outlast their limits, nor the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from netopt.campaign.process import run_limited

CHILD = (sys.executable, "-m", "netopt.campaign.child")


@pytest.fixture(autouse=True)
def _python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netopt.campaign.process.PROGRAM", (sys.executable, "-c"))


def test_output_errors_and_status_are_returned() -> None:
    script = "import os, sys; print(os.environ['COLOUR']); print('no', file=sys.stderr); sys.exit(3)"
    outcome = run_limited([script], environment={"COLOUR": "red"})
    assert (outcome.ending, outcome.exit_status, outcome.output, outcome.errors) == ("exit", 3, "red\n", "no\n")


def test_a_process_that_does_not_stop_is_killed_with_its_children() -> None:
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    outcome = run_limited([script], time_limit=1.0)
    assert outcome.ending == "time"
    assert outcome.seconds < 3.0
    assert _is_gone(int(outcome.output))


def test_memory_of_children_counts() -> None:
    child = "import time; block = b'x' * 300_000_000; time.sleep(60)"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    outcome = run_limited([script], memory_limit=250e6, time_limit=30.0)
    assert outcome.ending == "memory"
    assert outcome.peak_memory > 250e6


def test_an_event_stops_it() -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    assert run_limited(["import time; time.sleep(60)"], stop=stop).ending == "interrupt"


def test_the_program_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    """The real program, kept busy by an end of input that never comes."""
    pid_file = tmp_path / "pid"
    busy = (
        "import os, threading, time, netopt.campaign.child as child\n"
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))\n"
        "threading.Thread(target=child._end_with_parent, daemon=True).start()\n"
        "time.sleep(60)"
    )
    starter = (
        "import sys, netopt.campaign.process as process\n"
        "process.PROGRAM = (sys.executable, '-c')\n"
        f"process.run_limited([{busy!r}])"
    )
    parent = subprocess.Popen([sys.executable, "-c", starter])
    deadline = time.monotonic() + 20.0
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert _is_gone(int(pid_file.read_text()))


def _is_gone(pid: int, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_another_program_takes_the_place_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netopt.campaign.process.PROGRAM", CHILD)
    script = tmp_path / "peer.py"
    script.write_text("import sys; print(sys.argv[1:]); sys.exit(3)\n")
    outcome = run_limited(["maximize", "net.onnx"], program=(sys.executable, str(script)))
    assert (outcome.ending, outcome.exit_status) == ("exit", 3)
    assert outcome.output == "['maximize', 'net.onnx']\n"


def test_another_program_is_killed_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netopt.campaign.process.PROGRAM", CHILD)
    outcome = run_limited(["600"], program=("sleep",), time_limit=1.0)
    assert outcome.ending == "time"
    assert outcome.seconds < 4.0
