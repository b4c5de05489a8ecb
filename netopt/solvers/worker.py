"""The child's side of `ChildSolver`: solves what arrives on a pipe, streams progress back, dies with its parent."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from netopt.errors import InputError, SolverFailureError
from netopt.solvers.portable import portable


@dataclass(frozen=True, slots=True)
class Job:
    """One solve as it crosses the pipe.

    Attributes
    ----------
    number : by which it is interrupted.
    deadline : on the system-wide monotonic clock, or None.
    payload : pickled (solver, model, parameters, start).
    """

    number: int
    deadline: float | None
    payload: bytes


def serve(descriptor: int) -> None:
    """Answer the jobs on the socket `descriptor` until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to decide
    os.dup2(2, 1)  # vendors print banners; the parent's stdout carries results only
    connection = Connection(descriptor)
    jobs: queue.SimpleQueue[tuple[Job, threading.Event]] = queue.SimpleQueue()
    lock = threading.Lock()
    threading.Thread(target=_read, args=(connection, lock, jobs), daemon=True).start()
    _import_ahead()
    while True:
        job, interrupt = jobs.get()
        _answer(connection, lock, job, interrupt)


def _read(connection: Connection, lock: threading.Lock, jobs: queue.SimpleQueue[tuple[Job, threading.Event]]) -> None:
    """Queue jobs and hear interrupts; when the parent is gone, end the whole process group at once."""
    events: dict[int, threading.Event] = {}
    try:
        while True:
            message = connection.recv()
            if isinstance(message, Job):
                events = {message.number: threading.Event()}
                jobs.put((message, events[message.number]))
                with lock:
                    connection.send((message.number, "accepted", None))
            elif message in events:  # the number of a job to interrupt; an older one has ended already
                events[message].set()
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)


def _import_ahead() -> None:
    """Load what every model needs while the parent still prepares its first one."""
    import netopt.solvers.adapter  # noqa: F401 - imported for its effect on start-up


def _answer(connection: Connection, lock: threading.Lock, job: Job, interrupt: threading.Event) -> None:
    def send(kind: str, value: Any = None) -> None:
        with lock:
            connection.send((job.number, kind, value))

    try:
        try:
            solver, model, parameters, start = pickle.loads(job.payload)
        except (AttributeError, ImportError) as error:
            raise InputError(f"the child process cannot import the solver ({error}); define it in a module") from error
        if job.deadline is not None:
            parameters = replace(parameters, time_limit=max(0.0, job.deadline - time.monotonic()))
        result = solver.solve(
            model,
            parameters,
            start=start,
            on_incumbent=lambda value, point: send("incumbent", point),
            on_bound=lambda value: send("bound", value),
            interrupt=interrupt,
        )
        send("result", result)
    except MemoryError:
        send("memory")
    except Exception as error:  # noqa: BLE001 - crosses the pipe and is raised in the parent
        send("error", portable(error, SolverFailureError, "the solver failed in its child process"))
