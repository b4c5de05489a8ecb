"""Runs a vendor's solve in a thread of its own, so that Ctrl-C and the caller's event are heard while it works.

A fresh thread a solve also gives HiGHS a fresh scheduler: in one thread it refuses a new number of threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from netopt.solvers.monitor import Monitor

#: Seconds between two looks at the caller's event; the end of the solve is noticed at once.
_POLL = 0.05


def run_interruptible(work: Callable[[], None], stop: Callable[[], None], monitor: Monitor) -> None:
    """Run `work` to its end; call `stop` (from this thread) as long as the monitor says so.

    Ctrl-C stops the solve as the caller's interrupt does; a second Ctrl-C is raised at once, the solve left behind.
    """
    done = threading.Event()
    errors: list[BaseException] = []

    def target() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
            errors.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=target, name="netopt-solve", daemon=True)
    thread.start()
    interrupted = False
    while not done.is_set():
        try:
            done.wait(_POLL)
            if monitor.should_stop() and not done.is_set():
                stop()  # every time: a vendor that has hardly begun may forget the first
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            monitor.interrupt()
    thread.join()
    if errors:
        raise errors[0]
