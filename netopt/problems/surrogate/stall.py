"""Ending a search that brings nothing any more."""

from __future__ import annotations

import threading
import time
from types import TracebackType

#: Seconds between two looks.
_POLL = 0.05


class StallWatch:
    """Sets `event` once the run halts, or once nothing was found for a while.

    A while is `patience` seconds, or `share` of the time since the start of the watch if that is longer. It counts from
    the first thing found: before it, only the caller's own time limit ends the search.

    Parameters
    ----------
    halt : of the run.
    patience, share : see above; an infinite patience never gives up.
    """

    def __init__(self, halt: threading.Event, patience: float, share: float) -> None:
        self.event = threading.Event()
        self.stalled = False
        self._halt, self._patience, self._share = halt, patience, share
        self._begun = time.monotonic()
        self._last: float | None = None
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="netopt-stall", daemon=True)

    def found(self) -> None:
        """Note that the search goes on finding."""
        self._last = time.monotonic()

    def __enter__(self) -> StallWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._left.wait(_POLL):
            now = time.monotonic()
            window = max(self._patience, self._share * (now - self._begun))
            if self._last is not None and now - self._last > window:
                self.stalled = True
            if self.stalled or self._halt.is_set():
                self.event.set()
                return
