"""What a run reached and when: every candidate is replayed on the dense network in float64; the clock never stops."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from netopt.attack.ascent import Best
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.problems.bracket import Bracket
from netopt.problems.run import Progress
from netopt.specification.domain import Domain

#: A margin above this counts as adversarial: what float64 evaluation resolves with certainty.
FOUND = 1e-6


@dataclass(eq=False)
class Trace:
    """The best dense value over time; its clock starts when it is made.

    Parameters
    ----------
    network, domain, weights : the problem: the largest ``weights @ network(x)`` over the domain.
    seconds : limit of the run.
    until_found : end the run at the first value above `FOUND`.

    Attributes
    ----------
    improvements : (seconds, value) of every improvement.
    found_by, best_by : what the first value above `FOUND`, and the best one, come from.
    """

    network: Network
    domain: Domain
    weights: np.ndarray
    seconds: float
    until_found: bool = False
    improvements: list[tuple[float, float]] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    status: str = "done"
    found_by: str = ""
    best_by: str = ""
    halt: threading.Event = field(default_factory=threading.Event)
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.objective = SlackObjective.linear(self.weights)
        self._bracket = Bracket(self.network, self.domain, self.objective, 0.0)
        self._lock = threading.Lock()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.begun

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.seconds - self.elapsed)

    @property
    def deadline(self) -> float:
        """Value of `time.monotonic` at which the run has to end."""
        return self.begun + self.seconds

    @property
    def value(self) -> float:
        """Best dense value so far, -inf before the first."""
        return self._bracket.primal

    @property
    def point(self) -> np.ndarray | None:
        """Its point."""
        return self._bracket.point

    @property
    def dual_bound(self) -> float:
        """Least upper bound proven for the dense network, inf before the first."""
        return self._bracket.dual

    def offer(self, points: np.ndarray, origin: str = "replay") -> bool:
        """Replay points (k, n) on the dense network; return whether the best improved."""
        with self._lock:
            improved = self._bracket.offer(np.atleast_2d(points), origin)
            if improved:
                self._note(self.elapsed, self.value, origin)
            return improved

    def proved(self, dual: float, method: str) -> None:
        """Take note of an upper bound that holds for the dense network."""
        with self._lock:
            self._bracket.proved(dual, method)
            if self._bracket.contradiction:
                raise RuntimeError(self._bracket.contradiction)

    def report(self, progress: Progress) -> None:
        """Take note of a value that netopt replayed itself; `offer` the final point to have it checked."""
        with self._lock:
            last = self.improvements[-1][1] if self.improvements else -math.inf
            if progress.primal_bound is not None and progress.primal_bound > last:
                self._note(self.elapsed, progress.primal_bound, progress.stage)

    def stopped(self) -> bool:
        """Return whether the run has to end."""
        return self.halt.is_set() or self.remaining == 0.0

    def found_after(self) -> float | None:
        """Return the seconds to the first value above `FOUND`, None without one."""
        return next((seconds for seconds, value in self.improvements if value > FOUND), None)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time the body takes to a stage."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.monotonic() - begun

    def _note(self, seconds: float, value: float, origin: str) -> None:
        if seconds > self.seconds:
            return  # too late to count
        if self.improvements and value <= self.improvements[-1][1]:
            return  # netopt had reported it
        self.improvements.append((seconds, value))
        self.best_by = origin
        if value > FOUND and not self.found_by:
            self.found_by = origin
            if self.until_found:
                self.halt.set()


class TracedBest(Best):
    """The bookkeeping of netopt's ascents and walks, which also reports to a trace."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(np.full(1, -np.inf), np.zeros((1, trace.domain.dimension)))
        self._trace = trace

    def update(self, points: np.ndarray, values: np.ndarray) -> None:
        before = self.values[0]
        super().update(points, values)
        if self.values[0] > before:
            self._trace.offer(self.points[:1])


def compressed(improvements: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the improvements that matter: the first, the last, the first above `FOUND`, and steps of 1 % between."""
    if not improvements:
        return []
    least = 0.01 * (improvements[-1][1] - improvements[0][1])
    kept = [improvements[0]]
    for before, entry in pairwise(improvements):
        crossing = before[1] <= FOUND < entry[1]
        if crossing or entry[1] - kept[-1][1] >= least or entry is improvements[-1]:
            kept.append(entry)
    return [(round(seconds, 4), value) for seconds, value in kept]
