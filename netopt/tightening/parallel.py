"""Neurons shared out among threads, each with a solver of its own; solvers release Python's lock while they work."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from netopt.arrays import IntArray

#: Bounds one neuron, and returns whether it was given the time it needs.
Work = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Stop:
    """When to stop: past a `time.monotonic` deadline, on the caller's event, or when a thread failed."""

    deadline: float | None = None
    interrupt: threading.Event | None = None
    failed: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> bool:
        """Return whether to stop now."""
        if self.failed.is_set() or (self.interrupt is not None and self.interrupt.is_set()):
            return True
        return self.deadline is not None and time.monotonic() >= self.deadline

    @property
    def remaining(self) -> float | None:
        """Seconds left; None without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


def share_out(
    neurons: IntArray, make_worker: Callable[[], Work], threads: int, stop: Stop, on_done: Callable[[int], None]
) -> bool:
    """Bound every neuron; return True when none was left out or cut short.

    Parameters
    ----------
    make_worker : called once in each thread.
    on_done : called, one thread at a time, with the number of neurons done so far.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for neuron in neurons.tolist():
        waiting.put(neuron)
    done, complete = 0, True
    lock = threading.Lock()

    def run() -> None:
        nonlocal done, complete
        work = None
        while not stop():
            try:
                neuron = waiting.get_nowait()
            except queue.Empty:
                return
            work = work or make_worker()
            finished = work(neuron)
            with lock:
                done += 1
                complete = complete and finished
                on_done(done)

    with ThreadPoolExecutor(max_workers=threads) as executor:
        futures = [executor.submit(_guarded, run, stop) for _ in range(min(threads, neurons.size))]
        try:
            for future in futures:
                future.result()
        except BaseException:
            stop.failed.set()
            raise
    return complete and waiting.empty()


def _guarded(run: Callable[[], None], stop: Stop) -> None:
    """Run one thread's share; a failure ends the other threads' too."""
    try:
        run()
    except BaseException:
        stop.failed.set()
        raise
