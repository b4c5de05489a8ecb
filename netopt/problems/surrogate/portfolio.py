"""The primal heuristics at work on the dense network, in a thread of their own, while surrogates are searched."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from types import TracebackType

import numpy as np

from netopt.arrays import FloatArray
from netopt.attack.ascent import Best
from netopt.attack.portfolio import portfolio
from netopt.problems.surrogate.incumbent import DenseIncumbent, slack_batch

#: Origin of its points.
HEURISTICS = "heuristics"
#: Seconds for the objectives over one domain while others wait.
_TURN = 3.0


class Reporting(Best):
    """Offers every improvement as it comes.

    Parameters
    ----------
    incumbents : one a disjunct.
    """

    def __init__(self, incumbents: Sequence[DenseIncumbent]) -> None:
        count, dimension = len(incumbents), incumbents[0].domain.dimension
        super().__init__(np.full(count, -np.inf), np.zeros((count, dimension)))
        self._incumbents = incumbents

    def update(self, points: FloatArray, values: FloatArray) -> None:
        before = self.values.copy()
        super().update(points, values)
        self._offer(before)

    def merge(self, other: Best) -> None:
        before = self.values.copy()
        super().merge(other)
        self._offer(before)

    def _offer(self, before: FloatArray) -> None:
        for k in np.flatnonzero(self.values > before).tolist():
            if self.values[k] > self._incumbents[k].value:
                self._incumbents[k].offer(self.points[k][None], HEURISTICS)


class Portfolio:
    """Searches for several objectives, those over one domain together, one domain after the other.

    Used as a context; leaving it ends the search. What goes wrong in the thread is raised on leaving.

    Parameters
    ----------
    incumbents : the objectives.
    deadline : value of `time.monotonic` at which it ends, None for as long as it improves.
    generator : of everything random; the thread's own.
    target : value at which a search has what it wants.
    """

    def __init__(
        self,
        incumbents: Sequence[DenseIncumbent],
        deadline: float | None,
        generator: np.random.Generator,
        target: float = np.inf,
    ) -> None:
        groups: dict[int, list[DenseIncumbent]] = {}
        for incumbent in incumbents:
            groups.setdefault(id(incumbent.domain), []).append(incumbent)
        self._groups = list(groups.values())
        self._deadline, self._generator, self._target = deadline, generator, target
        self._left = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="netopt-heuristics", daemon=True)

    def __enter__(self) -> Portfolio:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            if len(self._groups) == 1:
                self._search(self._groups[0], self._deadline)
                return
            for group in itertools.cycle(self._groups):
                now = time.monotonic()
                if self._left.is_set() or (self._deadline is not None and now >= self._deadline):
                    return
                self._search(group, now + _TURN if self._deadline is None else min(self._deadline, now + _TURN))
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for this one
            self._error = error

    def _search(self, group: Sequence[DenseIncumbent], deadline: float | None) -> None:
        known = [incumbent.point for incumbent in group if incumbent.point is not None]
        portfolio(
            group[0].network,
            group[0].domain,
            slack_batch([incumbent.objective for incumbent in group]),
            generator=self._generator,
            deadline=deadline,
            starts=np.array(known) if known else None,
            interrupt=self._left,
            target=self._target,
            best=Reporting(group),
        )
