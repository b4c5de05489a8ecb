"""The child's side of `LocalProcesses`: runs the calls that arrive on a pipe, dies with its parent."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
from multiprocessing.connection import Connection

from netopt.errors import NetoptError
from netopt.solvers.portable import portable


def serve(descriptor: int) -> None:
    """Answer the pickled calls ``(function, arguments)`` on the socket `descriptor`, one at a time."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to decide
    os.dup2(2, 1)  # the parent's stdout carries results only
    connection = Connection(descriptor)
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, calls), daemon=True).start()
    while True:
        connection.send(_answer(calls.get()))


def _read(connection: Connection, calls: queue.SimpleQueue[bytes]) -> None:
    """Queue the calls; when the parent is gone, end the whole process group at once."""
    try:
        while True:
            calls.put(connection.recv())
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)


def _answer(call: bytes) -> tuple[bool, object]:
    """Return whether the call succeeded, and its result or its error."""
    try:
        function, arguments = pickle.loads(call)
        return True, function(*arguments)
    except BaseException as error:  # noqa: BLE001 - crosses the pipe and is raised by the caller's future
        return False, portable(error, NetoptError, "a worker process failed")
