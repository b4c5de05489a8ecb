"""A solver in a child process that can be killed, so that a limit holds whatever the solver does."""

from __future__ import annotations

import contextlib
import itertools
import math
import pickle
import queue
import threading
import time
import weakref
from types import TracebackType
from typing import Any

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.errors import InputError
from netopt.solvers.checks import check_input
from netopt.solvers.monitor import Monitor
from netopt.solvers.outcome import VendorAnswer, make_result
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import SolverResult, Termination
from netopt.solvers.solver import Availability, BoundCallback, Capabilities, IncumbentCallback, MilpSolver
from netopt.solvers.worker import Job
from netopt.solvers.worker_process import WorkerProcess

#: Seconds between two looks at clock, interrupt and memory; messages are handled at once.
_POLL = 0.05
#: Extra seconds for a solver that is asked to stop before its time is up: killing costs a new start.
_PATIENCE = 1.0


class ChildSolver(MilpSolver):
    """Runs another solver in a child process; limits and interrupts are enforced by killing it.

    The child streams incumbents and bounds. When the time limit passes or the caller interrupts, the solver is asked to
    stop; if it does not soon, or exceeds the memory limit, it is killed and the result holds the best incumbent and
    bound it had streamed. The child starts once (about half a second), serves many solves and ends with `close`, with
    the ``with`` block, with this object or with this process, even one that is killed. Concurrent solves get a child
    each. POSIX only.

    Parameters
    ----------
    inner : the solver; it must be picklable, so its class must live in a module.
    memory_limit : resident bytes of the child and its own children together; None is no limit. It is watched, not
        enforced by the system: a child may exceed it for 0.1 s.
    grace : seconds past the time limit at which a solver is killed; one interrupted earlier gets a second more.

    Examples
    --------
    >>> import numpy as np
    >>> from formulations.milp import MilpBuilder
    >>> from netopt.solvers.child import ChildSolver
    >>> from netopt.solvers.highs import Highs
    >>> from netopt.solvers.parameters import SolverParameters
    >>> builder = MilpBuilder()
    >>> x = builder.add_columns(3, upper=1.5, integral=True)
    >>> builder.set_objective(x, np.ones(3), maximize=True)
    >>> with ChildSolver(Highs()) as solver:
    ...     result = solver.solve(builder.build(), SolverParameters(time_limit=60.0))
    >>> result.termination.value, result.primal_bound
    ('optimal', 3.0)
    """

    def __init__(self, inner: MilpSolver, memory_limit: float | None = None, *, grace: float = 0.4) -> None:
        self.inner = inner
        self.memory_limit = memory_limit
        self.grace = grace
        self._idle: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()
        self._numbers = itertools.count()
        self._finalizer = weakref.finalize(self, _close_all, self._idle)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def __repr__(self) -> str:
        return f"ChildSolver({self.inner!r}, memory_limit={self.memory_limit})"

    def __reduce__(self) -> tuple[Any, ...]:  # a copy in another process has children of its own
        return ChildSolver, (self.inner, self.memory_limit)

    def __enter__(self) -> ChildSolver:
        self.prepare()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def prepare(self) -> None:
        """Start a child now, so that it is ready when the first model is."""
        self._idle.put(self._take())

    def close(self) -> None:
        """End the idle children; a later solve starts a new one."""
        _close_all(self._idle)

    def _take(self) -> WorkerProcess:
        with contextlib.suppress(queue.Empty):
            while True:
                worker = self._idle.get_nowait()
                if worker.exit_status is None:
                    return worker
        return WorkerProcess()

    def availability(self, model: MilpModel | None = None) -> Availability:
        return self.inner.availability(model)

    def version(self) -> str:
        return self.inner.version()

    def solve(
        self,
        model: MilpModel,
        parameters: SolverParameters,
        *,
        start: FloatArray | None = None,
        on_incumbent: IncumbentCallback | None = None,
        on_bound: BoundCallback | None = None,
        interrupt: threading.Event | None = None,
    ) -> SolverResult:
        check_input(model, parameters, start)
        monitor = Monitor(model, parameters, on_incumbent, on_bound, interrupt)
        monitor.offer_start(start)
        while True:
            worker = self._take()
            watch = _Watch(worker, monitor, next(self._numbers), self.memory_limit, self.grace)
            try:
                answer, solver = watch.run(self.inner, start)
            finally:
                if watch.ended:
                    self._idle.put(worker)
                else:
                    worker.kill()
            if not watch.stillborn:
                return make_result(monitor, answer, solver or self.name)


def _close_all(workers: queue.SimpleQueue[WorkerProcess]) -> None:
    while not workers.empty():
        workers.get().close()


class _Watch:
    """One solve in one worker: its messages, the clock and the memory."""

    def __init__(
        self, worker: WorkerProcess, monitor: Monitor, number: int, memory_limit: float | None, grace: float
    ) -> None:
        self.ended = False  # the worker finished the job and can take another
        self.stillborn = False  # the worker, idle until then, was dead before it saw the job
        self._accepted = False
        self._worker = worker
        self._monitor = monitor
        self._number = number
        self._memory_limit = memory_limit
        self._grace = grace
        self._kill_at = math.inf
        self._look_at = 0.0

    def run(self, inner: MilpSolver, start: FloatArray | None) -> tuple[VendorAnswer, str]:
        """Submit the job; handle messages until the answer, or the end of the worker."""
        monitor = self._monitor
        deadline = None if monitor.parameters.time_limit is None else monitor.began + monitor.parameters.time_limit
        payload = _pickled(inner, monitor.model, monitor.parameters, start)
        self._worker.submit(Job(self._number, deadline, payload))
        answer = None
        while answer is None:
            try:
                answer = self._step()
            except KeyboardInterrupt:
                if monitor.reason is Termination.INTERRUPTED:
                    raise
                monitor.interrupt()
        return answer

    def _step(self) -> tuple[VendorAnswer, str] | None:
        """Handle one message or one tick of the clock."""
        wait = min(_POLL, self._monitor.remaining, self._kill_at - time.monotonic())
        try:
            message = self._worker.messages.get(timeout=max(wait, 1e-3))
        except queue.Empty:
            answer = None
        else:
            answer = self._handle(message)
        return answer or self._enforce()

    def _handle(self, message: tuple[Any, ...] | None) -> tuple[VendorAnswer, str] | None:
        if message is None:
            self.stillborn = not self._accepted and self._worker.jobs > 1
            return self._stopped(Termination.ERROR, f"the child ended with status {self._worker.exit_status}")
        number, kind, value = message
        if number != self._number:  # of a job that has ended
            return None
        if kind == "accepted":
            self._accepted = True
        elif kind == "incumbent":
            self._monitor.incumbent(value)
        elif kind == "bound":
            self._monitor.bound(value)
        elif kind == "memory":
            return self._stopped(Termination.MEMORY_LIMIT, "the child could not allocate")
        else:
            self.ended = True
            if kind == "error":
                raise value
            return _vendor_answer(value), value.solver
        return None

    def _enforce(self) -> tuple[VendorAnswer, str] | None:
        """Ask the solver to stop once it should, kill it when it does not or takes too much memory."""
        now = time.monotonic()
        if self._monitor.should_stop() and self._kill_at == math.inf:
            self._worker.interrupt(self._number)
            in_time = self._monitor.reason is not Termination.TIME_LIMIT
            self._kill_at = now + min(
                self._grace + (_PATIENCE if in_time else 0.0), self._monitor.remaining + self._grace
            )
        if now >= self._kill_at:
            return self._stopped(self._monitor.reason or Termination.INTERRUPTED, "killed: it did not stop when asked")
        if self._memory_limit is not None and now >= self._look_at:
            self._look_at = now + _POLL
            memory = self._worker.resident_memory()
            if memory > self._memory_limit:
                return self._stopped(Termination.MEMORY_LIMIT, f"killed: it held {memory / 2**20:.0f} MiB")
        return None

    def _stopped(self, termination: Termination, status: str) -> tuple[VendorAnswer, str]:
        self._worker.kill()
        return VendorAnswer(termination=termination, status=status, dual_bound=math.nan), ""


def _pickled(inner: MilpSolver, *rest: Any) -> bytes:
    try:
        return pickle.dumps((inner, *rest), protocol=5)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(
            f"solver {inner!r} cannot be sent to a child process ({error}); define it in a module"
        ) from error


def _vendor_answer(result: SolverResult) -> VendorAnswer:
    return VendorAnswer(
        termination=result.termination,
        status=result.vendor_status,
        dual_bound=result.dual_bound,
        point=result.point,
        nodes=result.nodes,
        row_duals=result.row_duals,
    )
