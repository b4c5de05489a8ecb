"""Improving promising points on the dense network, in a thread, while a solver's process goes on."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np

from netopt.arrays import FloatArray
from netopt.attack.improve import improve
from netopt.problems.surrogate.incumbent import DenseIncumbent, slack_batch

#: Follows a point's origin once it was improved on the dense network.
IMPROVED = "improved"
#: Seconds of one improvement; a point that is still improving then goes back into the queue.
_SLICE = 1.0
#: Points that wait; the worst are dropped.
_WAITING = 24
#: A gain from here on, relative to 1 + |value|, is worth going on from.
_LEAST_GAIN = 1e-5
#: Seconds between two looks at the clock while nothing waits.
_POLL = 0.05


@dataclass(order=True, slots=True)
class _Task:
    """A point to improve, the best first."""

    priority: float
    number: int
    incumbent: DenseIncumbent = field(compare=False)
    point: FloatArray = field(compare=False)
    origin: str = field(compare=False)


class Polisher:
    """Improves the points submitted, the best of them first, and offers the results.

    Used as a context; leaving it waits for the improvement under way, at most a second. What goes wrong in the thread
    is raised by `settle` and on leaving.

    Parameters
    ----------
    halt : ends everything once set.
    deadline : value of `time.monotonic` at which everything ends, None for none.
    generator : of what is random in an improvement; the thread's own.
    """

    def __init__(self, halt: threading.Event, deadline: float | None, generator: np.random.Generator) -> None:
        self._halt, self._deadline, self._generator = halt, deadline, generator
        self._tasks: list[_Task] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._busy = self._left = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="netopt-polish", daemon=True)

    def __enter__(self) -> Polisher:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._left = True
            self._changed.notify_all()
        self._thread.join()
        if error is None:
            self._raise()

    def submit(self, incumbent: DenseIncumbent, point: FloatArray, value: float, origin: str) -> None:
        """Queue a point (n,) whose dense value is known."""
        with self._changed:
            heapq.heappush(self._tasks, _Task(-value, next(self._numbers), incumbent, point, origin))
            if len(self._tasks) > _WAITING:
                self._tasks = heapq.nsmallest(_WAITING, self._tasks)
            self._changed.notify_all()

    def settle(self, seconds: float) -> None:
        """Wait until nothing submitted is left, or some seconds have passed, or the run halts."""
        end = time.monotonic() + seconds
        with self._changed:
            while (self._tasks or self._busy) and self._error is None and not self._halt.is_set():
                left = end - time.monotonic()
                if left <= 0.0:
                    break
                self._changed.wait(min(left, _POLL))
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            while not self._over():
                task = self._next()
                if task is not None:
                    self._improve(task)
                    with self._changed:
                        self._busy = False
                        self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for this one
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _over(self) -> bool:
        return self._left or self._halt.is_set() or (self._deadline is not None and time.monotonic() >= self._deadline)

    def _next(self) -> _Task | None:
        """Return the best point that waits, None when there is none for a moment."""
        with self._changed:
            if self._tasks:
                self._busy = True
                return heapq.heappop(self._tasks)
            if not self._left:
                self._changed.wait(_POLL)
            return None

    def _until(self) -> float:
        end = time.monotonic() + _SLICE
        return end if self._deadline is None else min(end, self._deadline)

    def _improve(self, task: _Task) -> None:
        incumbent, end = task.incumbent, self._until()
        best = improve(
            incumbent.network,
            incumbent.domain,
            slack_batch([incumbent.objective]),
            task.point[None],
            deadline=end,
            interrupt=self._halt,
            generator=self._generator,
        )
        value, before = float(best.values[0]), -task.priority
        incumbent.offer(best.points, task.origin)
        if time.monotonic() >= end and value > before + _LEAST_GAIN * (1.0 + abs(before)):
            self.submit(incumbent, best.points[0].copy(), value, task.origin)
