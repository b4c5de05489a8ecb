"""When an attack has to end: at a deadline, once it is interrupted, or when the caller says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def stopping(
    deadline: float | None,
    interrupt: threading.Event | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Callable[[], bool]:
    """Return what is to be asked whether to stop.

    Parameters
    ----------
    deadline : value of `time.monotonic`, None for none.
    interrupt : stops once set.
    stopped : the caller's own reasons.
    """

    def ended() -> bool:
        interrupted = interrupt is not None and interrupt.is_set()
        return interrupted or (deadline is not None and time.monotonic() >= deadline) or stopped()

    return ended
