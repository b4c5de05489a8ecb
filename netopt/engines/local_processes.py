"""An executor of processes on this machine that needs no ``__main__`` guard and ends at once."""

from __future__ import annotations

import pickle
import queue
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from netopt.solvers.worker_process import WorkerProcess

#: Each process is one of several that share the cores: its matrix library gets one.
_ONE_THREAD = MappingProxyType(
    {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}
)

P = ParamSpec("P")
T = TypeVar("T")


class LocalProcesses(Executor):
    """Calls run in a fixed number of processes, which are started now and share nothing with this one.

    Unlike `concurrent.futures.ProcessPoolExecutor`, the processes do not import the caller's main script, `shutdown`
    kills what is still running, and a process that dies is replaced: its call fails with a `BrokenExecutor`.
    Functions and arguments have to be picklable.

    Parameters
    ----------
    count : number of processes, each with one thread for matrix products.
    """

    def __init__(self, count: int) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], bytes] | None] = queue.SimpleQueue()
        self._closed = False
        self._workers = [_start() for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._feed, args=(k,), name="netopt-process", daemon=True) for k in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Run ``function(*arguments)`` in one of the processes.

        Raises
        ------
        RuntimeError
            The executor was shut down, or an argument has a name.
        """
        if self._closed or named:
            raise RuntimeError("no call can be submitted: the executor was shut down, or an argument has a name")
        future: Future[T] = Future()
        self._calls.put((future, pickle.dumps((function, arguments), protocol=5)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Kill the processes: calls under way fail, those that wait are cancelled, whatever `cancel_futures` says."""
        self._closed = True
        for worker in self._workers:
            worker.kill()
        for _ in self._threads:
            self._calls.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _feed(self, place: int) -> None:
        """Hand calls to one process until the executor is shut down."""
        while (item := self._calls.get()) is not None:
            future, call = item
            if self._closed:
                future.cancel()
            elif future.set_running_or_notify_cancel():
                self._run(place, future, call)

    def _run(self, place: int, future: Future[Any], call: bytes) -> None:
        worker = self._workers[place]
        worker.submit(call)
        answer = worker.messages.get()
        if answer is None:
            future.set_exception(BrokenExecutor(f"a worker process ended with status {worker.exit_status}"))
            if not self._closed:
                self._workers[place] = _start()
        elif answer[0]:
            future.set_result(answer[1])
        else:
            future.set_exception(answer[1])


def _start() -> WorkerProcess:
    return WorkerProcess("netopt.engines.process_worker", _ONE_THREAD)
