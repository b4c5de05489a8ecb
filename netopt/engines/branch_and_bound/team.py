"""Processes beside this one, for whatever a search can deal: parts of a domain, neurons of a layer, an attack.

A call is a function of a module, a *package* that many calls share (a network, say; a process keeps the last ones of
every function), and an item of its own. Work is dealt `side_by_side`, this process doing a share of it, or lent for
long. No answer is ever needed: a process that dies or does not answer in time is left alone, and the caller goes on
with what it has.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import threadpool_limits

#: Seconds that a late answer is waited for; a step of a large network may take that long.
_PATIENCE = 30.0
#: Packages of a function that a process keeps: searches take turns, and each has one.
_PACKAGES = 3
#: Seconds between two looks at whether the caller has to stop.
_LOOK = 0.02

S = TypeVar("S")
I = TypeVar("I")  # noqa: E741 - an item, beside S and R
R = TypeVar("R")
Own = TypeVar("Own")


@dataclass(frozen=True, slots=True, eq=False)
class _Packed:
    """A pickled value, and what it is known by."""

    content: bytes
    digest: bytes


class Package(Generic[S]):
    """A value that many calls share; it is pickled once, when the first of them is made."""

    def __init__(self, value: S) -> None:
        self.value = value

    @cached_property
    def packed(self) -> _Packed:
        """The value as it travels."""
        content = pickle.dumps(self.value, protocol=5)
        return _Packed(content, hashlib.sha256(content).digest())


class Team:
    """Processes beside this one.

    Parameters
    ----------
    make_executor : starts them.
    count : how many there are.
    """

    def __init__(self, make_executor: Callable[[], Executor], count: int) -> None:
        self.count = count
        self._make_executor = make_executor
        self._executor: Executor | None = None
        self._started: list[Future[None]] = []
        self._lent: list[tuple[Future[Any], Callable[[Any], None]]] = []
        self._limits: threadpool_limits | None = None
        self._broken = False

    def start(self) -> None:
        """Start the processes if they are not; they load while this one goes on."""
        if self._executor is None:
            self._executor = self._make_executor()
            self._started = [self._executor.submit(load) for _ in range(self.count)]

    def ready(self) -> bool:
        """Return whether the processes can work; the first call starts them, and does not wait.

        What lent processes have answered is handed over here, in the caller's thread.
        """
        self.start()
        self._hear()
        if self._broken or self._lent or not all(future.done() for future in self._started):
            return False
        if self._limits is None:
            from threadpoolctl import threadpool_limits

            self._limits = threadpool_limits(limits=1)  # the other cores are the processes' from now on
        return True

    def close(self) -> None:
        """End the processes."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        if self._limits is not None:
            self._limits.restore_original_limits()

    def begin(self, function: Callable[[S, I], R], package: Package[S], item: I) -> Future[R]:
        """Have ``function(package, item)`` called in another process, once it is `ready`."""
        assert self._executor is not None
        return self._executor.submit(_call, function, package.packed, item)

    def lend(self, function: Callable[[S, I], R], package: Package[S], item: I, heard: Callable[[R], None]) -> None:
        """As `begin`, for what takes long; the team is not `ready` for anything else until `heard` has the answer."""
        self._lent.append((self.begin(function, package, item), heard))

    def _hear(self) -> None:
        done = [lent for lent in self._lent if lent[0].done()]
        self._lent = [lent for lent in self._lent if lent not in done]
        for future, heard in done:
            try:
                answer = future.result()
            except (BrokenExecutor, CancelledError):  # as in `answer`
                self._broken = True
            else:
                heard(answer)

    def answer(self, future: Future[R], stopped: Callable[[], bool]) -> R | None:
        """Wait for an answer; None when the caller has to stop, or none comes: no process is asked again then."""
        end = time.monotonic() + _PATIENCE
        while not wait([future], timeout=_LOOK).done:
            self._broken |= time.monotonic() > end
            if stopped() or self._broken:
                future.cancel()
                return None
        try:
            return future.result()
        except (BrokenExecutor, CancelledError):  # the process died, perhaps for memory
            self._broken = True
            return None


def processes(team: Team | None) -> int:
    """Return how many processes can work now, this one included."""
    return 1 + team.count if team is not None and team.ready() else 1


def side_by_side(
    team: Team | None,
    function: Callable[[S, I], R],
    package: Package[S],
    items: Sequence[I],
    *,
    own: Callable[[], Own],
    stopped: Callable[[], bool],
) -> tuple[Own, list[R | None]]:
    """Have ``function(package, item)`` called for every item in other processes, while `own` is called in this one.

    Parameters
    ----------
    team : None where there are no items; else it has been found ready for them.
    stopped : asked while answers are waited for; none is once it says so.

    Returns
    -------
    What `own` returned, and an answer for each item: None where there is none, see `Team.answer`.
    """
    if team is None:
        return own(), []
    futures = [team.begin(function, package, item) for item in items]
    result = own()
    return result, [team.answer(future, stopped) for future in futures]


def load() -> None:
    """Do nothing: to be called, it has to be imported, and with it what every search needs."""
    import netopt.engines.branch_and_bound.box_split
    import netopt.engines.branch_and_bound.layer_pass
    import netopt.engines.branch_and_bound.phase_split  # noqa: F401 - all three: loaded while the parent works


_KEPT = threading.local()


def _call(function: Callable[[Any, Any], R], packed: _Packed, item: Any) -> R:
    """Call a function in another process, which keeps the unpickled package for the function's next calls."""
    kept: dict[str, dict[bytes, Any]] = _KEPT.__dict__.setdefault("packages", {})
    values = kept.setdefault(f"{function.__module__}.{function.__qualname__}", {})
    value = values.pop(packed.digest) if packed.digest in values else pickle.loads(packed.content)
    values[packed.digest] = value  # behind those used before
    if len(values) > _PACKAGES:
        del values[next(iter(values))]
    return function(value, item)
