"""A command in a process of its own that cannot outlast its limits, nor the process that started it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Literal

from netopt.solvers.memory import resident_memory

#: Seconds between two looks at the memory.
_POLL = 0.1
#: Bytes of a stream that are kept, from its end: the JSON of 10^5 inputs fits.
_KEPT = 32 * 2**20

#: What is run: the command, ending with its parent.
PROGRAM = (sys.executable, "-m", "netopt.campaign.child")

Ending = Literal["exit", "time", "memory", "interrupt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a process ended.

    Attributes
    ----------
    ending : "exit" when it ended by itself, else why it was killed.
    exit_status : as `subprocess` has it, minus the signal's number when one ended it.
    output, errors : what it wrote.
    seconds : wall time from its start to its end.
    peak_memory : bytes, most seen resident at once in it and all its descendants.
    """

    ending: Ending
    exit_status: int
    output: str
    errors: str
    seconds: float
    peak_memory: int


def run_limited(
    arguments: Sequence[str],
    *,
    time_limit: float | None = None,
    memory_limit: float | None = None,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = (),
    stop: threading.Event | None = None,
) -> Outcome:
    """Run ``netopt *arguments`` and wait for its end.

    The process leads a session of its own, so that whatever it starts can be killed with it, and holds a pipe whose end
    tells it that this process is gone.

    Parameters
    ----------
    time_limit : seconds after which it is killed; None for none.
    memory_limit : bytes resident in all its processes together beyond which it is killed.
    environment : variables set in addition to this process's.
    program : run in place of netopt, with the same arguments.
    stop : once set, it is killed.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        with subprocess.Popen(
            [*PROGRAM, *(["--program", *program] if program else []), *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        ) as process:
            try:
                ending, peak = _watch(process, begun, time_limit, memory_limit, stop)
            finally:
                _kill_session(process)
        return Outcome(
            ending=ending,
            exit_status=process.returncode,
            output=_tail(output),
            errors=_tail(errors),
            seconds=time.perf_counter() - begun,
            peak_memory=peak,
        )


def _watch(
    process: subprocess.Popen[bytes],
    begun: float,
    time_limit: float | None,
    memory_limit: float | None,
    stop: threading.Event | None,
) -> tuple[Ending, int]:
    peak = 0
    while True:
        try:
            process.wait(_POLL)
        except subprocess.TimeoutExpired:
            peak = max(peak, resident_memory(process.pid))
        else:
            return "exit", peak
        if memory_limit is not None and peak > memory_limit:
            return "memory", peak
        if time_limit is not None and time.perf_counter() - begun > time_limit:
            return "time", peak
        if stop is not None and stop.is_set():
            return "interrupt", peak


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all that it started, also what outlived it."""
    with contextlib.suppress(ProcessLookupError):  # raised when nothing is left of it
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(stream: IO[bytes]) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _KEPT))
    return stream.read().decode(errors="replace")
