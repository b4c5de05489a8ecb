"""The parent's side of one worker: starts it, talks to it, watches its memory, kills it."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from types import MappingProxyType
from typing import Any

from netopt.solvers.memory import resident_memory
from netopt.solvers.worker import Job

_BOOT = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve({descriptor})"


class WorkerProcess:
    """A Python process in a session of its own that runs ``serve`` of a module.

    It is started as a fresh interpreter, not by multiprocessing, which would import the caller's main script again; so
    a script needs no ``if __name__ == "__main__"``. Every message ends up in `messages`; when the process is gone, the
    last message is None. `jobs` counts those submitted.

    Parameters
    ----------
    module : has a function ``serve`` that takes the descriptor of a socket and answers the jobs that arrive there.
    environment : variables that the process has besides this one's.
    """

    def __init__(
        self, module: str = "netopt.solvers.worker", environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            code = _BOOT.format(path=sys.path, module=module, descriptor=theirs.fileno())
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self.jobs = 0
        self.messages: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[Job | bytes | int | None] = queue.SimpleQueue()
        self._connection = Connection(ours.detach())
        self._reader = threading.Thread(target=self._read, name="netopt-worker-reader", daemon=True)
        self._reader.start()
        threading.Thread(target=self._write, name="netopt-worker-writer", daemon=True).start()

    def _read(self) -> None:
        try:
            while True:
                self.messages.put(self._connection.recv())
        except (EOFError, OSError):
            self._signal_group()  # what a crashed worker had started must not outlive it
            self._process.wait()  # the reader also buries it: no zombie, and nobody waits for its memory to be freed
            self._outbox.put(None)
            self.messages.put(None)

    def _write(self) -> None:
        """Send in a thread, so that a caller with a time limit never blocks on a child that does not read."""
        with contextlib.suppress(OSError):  # it is dead or dying: the reader tells
            while (message := self._outbox.get()) is not None:
                self._connection.send(message)
        self._reader.join()
        self._connection.close()

    def _signal_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def exit_status(self) -> int | None:
        """Exit status once the process ended, negative for a signal; None while it runs."""
        return self._process.poll()

    def submit(self, job: Job | bytes) -> None:
        """Send a job."""
        self.jobs += 1
        self._outbox.put(job)

    def interrupt(self, number: int) -> None:
        """Ask a job to stop."""
        self._outbox.put(number)

    def resident_memory(self) -> int:
        """Return the resident bytes of the worker and its children, 0 once it ended."""
        return resident_memory(self._process.pid)

    def kill(self) -> None:
        """End the worker and everything it started, at once."""
        if self.exit_status is None:
            self._signal_group()

    def close(self) -> None:
        """Kill the worker and wait for its end."""
        self.kill()
        self._reader.join()
