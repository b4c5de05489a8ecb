from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path

import psutil
import pytest

from netopt.engines.local_processes import LocalProcesses
from netopt.errors import InputError


def test_calls_run_elsewhere_on_one_thread_and_errors_come_back() -> None:
    with LocalProcesses(2) as executor:
        assert list(executor.map(divmod, [7, 9], [2, 4])) == [(3, 1), (2, 1)]
        assert executor.submit(os.getpid).result() != os.getpid()
        assert executor.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result()
        with pytest.raises(InputError, match="there"):
            executor.submit(_fail).result()


def _fail() -> None:
    raise InputError("there")


def test_a_process_that_dies_fails_its_call_and_is_replaced() -> None:
    with LocalProcesses(1) as executor:
        first = executor.submit(os.getpid).result()
        with pytest.raises(BrokenExecutor, match="status 3"):
            executor.submit(os._exit, 3).result()
        assert executor.submit(os.getpid).result() != first


def test_shutting_down_kills_what_runs() -> None:
    executor = LocalProcesses(1)
    process = psutil.Process(executor.submit(os.getpid).result())
    running, waiting = executor.submit(time.sleep, 60.0), executor.submit(time.sleep, 60.0)
    while not running.running():
        time.sleep(0.01)
    begun = time.monotonic()
    executor.shutdown()
    assert time.monotonic() - begun < 10.0
    assert isinstance(running.exception(), BrokenExecutor)
    assert waiting.cancelled()
    _, alive = psutil.wait_procs([process], timeout=5.0)
    assert not alive
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(os.getpid)


def test_a_script_needs_no_guard_and_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, time\n"
        "from netopt.engines.local_processes import LocalProcesses\n"
        "executor = LocalProcesses(1)\n"
        "print(executor.submit(os.getpid).result(), flush=True)\n"
        "executor.submit(time.sleep, 60.0)\n"
        "os._exit(0)\n"
    )
    answer = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=60)
    number = int(answer.stdout)
    deadline = threading.Event()
    threading.Timer(10.0, deadline.set).start()
    while psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE:
        assert not deadline.is_set(), "the process outlived its parent"
        time.sleep(0.05)
