"""Replaying a solver's incumbents, and improving them on the dense network while the solver goes on."""

from __future__ import annotations

from types import TracebackType

import numpy as np

from benchmarks.surrogate_common.trace import Trace
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.problems.surrogate.polish import Polisher
from netopt.specification.domain import Domain

#: Seconds that what waits to be improved gets once the solver is done, as long as the run lasts.
_SETTLE = 10.0


class Improving:
    """A context whose function takes incumbents (n,); it replays them, and with `improve` has each improved."""

    def __init__(self, trace: Trace, seed: int, improve: bool) -> None:
        self._trace = trace
        generator = np.random.default_rng(seed)
        self._polisher = Polisher(trace.halt, trace.deadline, generator) if improve else None

    def __enter__(self) -> Improving:
        if self._polisher is not None:
            self._polisher.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._polisher is not None:
            if error is None:
                self._polisher.settle(min(_SETTLE, self._trace.remaining))
            self._polisher.__exit__(kind, error, traceback)

    def __call__(self, point: np.ndarray) -> None:
        """Replay an incumbent and hand it on."""
        self._trace.offer(point)
        if self._polisher is not None:
            value = float(self._trace.objective.value(point[None], self.network.forward(point[None]))[0])
            self._polisher.submit(self, point, value, "improved")

    @property
    def network(self) -> Network:
        """The dense network."""
        return self._trace.network

    @property
    def domain(self) -> Domain:
        """What the inputs may be."""
        return self._trace.domain

    @property
    def objective(self) -> SlackObjective:
        """What is maximised."""
        return self._trace.objective

    def offer(self, points: np.ndarray, origin: str) -> bool:
        """Replay improved points (k, n)."""
        return self._trace.offer(points, origin)
