"""One call of `verify` or `maximize`: its clock, its stages, and the ways it can be told to end early."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from netopt.checks import is_positive
from netopt.errors import InvalidOptionError

#: Seconds a halted call waits for the step under way before it returns without it.
GRACE = 0.4
#: Seconds between two looks at the clock and at the caller's interrupt.
POLL = 0.02


class Halt(StrEnum):
    """Why a call ended before its work was done."""

    TIME_LIMIT = "time_limit"
    INTERRUPTED = "interrupted"


class HaltedError(Exception):
    """Raised inside a call, never out of it, at the first step after it was told to end."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the caller hears while a call runs.

    Attributes
    ----------
    stage : name of the stage under way.
    seconds : since the call began.
    primal_bound, dual_bound : best known, in the caller's sense; None where nothing is known.
    """

    stage: str
    seconds: float
    primal_bound: float | None
    dual_bound: float | None

    @classmethod
    def of(cls, stage: str, seconds: float, primal: float, dual: float) -> Progress:
        """Return the progress at bounds of which an infinite one means that nothing is known."""
        known = [value if math.isfinite(value) else None for value in (primal, dual)]
        return cls(stage, seconds, *known)


class ProgressCallback(Protocol):
    """Called at every improvement and every new stage, from the thread that works."""

    def __call__(self, progress: Progress, /) -> None:
        """Take note."""


@dataclass(slots=True)
class Run:
    """The state that every step of one call shares.

    Attributes
    ----------
    time_limit : seconds for the whole call, None for no limit.
    halt : set once the call has to end, or has found what it was looking for; solvers watch it.
    reason : why the call ended early, None when it did not.
    stages : what was done, in order, as in the JSON.
    notices : sentences for the reader of the result.
    """

    time_limit: float | None
    begun: float = field(default_factory=time.monotonic)
    halt: threading.Event = field(default_factory=threading.Event)
    reason: Halt | None = None
    stages: list[dict[str, Any]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    _stage_begun: float = 0.0

    def __post_init__(self) -> None:
        if self.time_limit is not None and not is_positive(self.time_limit):
            raise InvalidOptionError(f"time_limit is {self.time_limit!r}; give a positive number of seconds, or None")

    @property
    def seconds(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self.begun

    @property
    def remaining(self) -> float | None:
        """Seconds left, None without a limit."""
        return None if self.time_limit is None else max(0.0, self.time_limit - self.seconds)

    @property
    def deadline(self) -> float | None:
        """Value of `time.monotonic` at which the call has to end, None without a limit."""
        return None if self.time_limit is None else self.begun + self.time_limit

    @property
    def current(self) -> str:
        """Name of the stage under way, or of the last one; empty before the first."""
        return str(self.stages[-1]["name"]) if self.stages else ""

    def share(self, fraction: float, most: float) -> float:
        """Return `fraction` of the seconds left, `most` seconds at the most."""
        left = self.remaining
        return most if left is None else min(most, fraction * left)

    def check(self) -> None:
        """Raise `HaltedError` once the call has to end."""
        if self.halt.is_set():
            raise HaltedError

    def note(self, sentence: str) -> None:
        """Add a notice, once."""
        if sentence not in self.notices:
            self.notices.append(sentence)

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Record a stage with its duration; the body may add entries to the dictionary."""
        self.check()
        record: dict[str, Any] = {"name": name, "seconds": 0.0}
        begun = self._stage_begun = time.monotonic()
        self.stages.append(record)
        try:
            yield record
        finally:
            record["seconds"] = time.monotonic() - begun

    def record(self) -> tuple[dict[str, Any], ...]:
        """Return a copy of the stages; one still under way (left behind in the background) counts up to now."""
        stages = tuple(dict(stage) for stage in self.stages)
        if stages and stages[-1]["seconds"] == 0.0:
            stages[-1]["seconds"] = time.monotonic() - self._stage_begun
        return stages


def supervise(run: Run, work: Callable[[], None], interrupt: threading.Event | None) -> None:
    """Run `work` in a thread of its own and return when it is done, or soon after the call has to end.

    A step that cannot be interrupted (one large matrix product) ends in the background, its result unused, so that
    limits hold whatever a step does. Ctrl-C in the calling thread counts as an interrupt.
    """
    failure: list[BaseException] = []

    def body() -> None:
        try:
            work()
        except HaltedError:
            pass  # the state says how far it came
        except BaseException as error:  # noqa: BLE001 - handed to the calling thread, which raises it
            failure.append(error)

    worker = threading.Thread(target=body, name="netopt", daemon=True)
    worker.start()
    try:
        while worker.is_alive() and run.reason is None:
            worker.join(POLL)
            if run.remaining == 0.0:
                run.reason = Halt.TIME_LIMIT
            elif interrupt is not None and interrupt.is_set():
                run.reason = Halt.INTERRUPTED
    except KeyboardInterrupt:
        run.reason = Halt.INTERRUPTED
    run.halt.set()
    worker.join(GRACE)
    if failure:
        raise failure[0]
