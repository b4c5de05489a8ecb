"""The rungs of a ladder in one time budget: sparse networks first, each searched from the best dense point known."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netopt.problems.run import Run
from netopt.problems.settings import Settings
from netopt.problems.surrogate.incumbent import DenseIncumbent
from netopt.problems.surrogate.options import Pruning, Surrogate
from netopt.problems.surrogate.polish import Polisher
from netopt.problems.surrogate.region_model import MOST_SECONDS, search_region
from netopt.problems.surrogate.rung import RungSearch
from netopt.problems.surrogate.sparse_model import SparseModel
from netopt.solvers.result import Termination

#: Name of the search of one pruned network for one objective, in the record.
STAGE = "surrogate"
#: Share of the time left that one rung may take, as long as rungs improve, when the dense network comes last.
RUNG_SHARE = 0.2
#: Seconds of a rung of a ladder without a time limit.
MOST_RUNG_SECONDS = 60.0
#: A rung stalls when it has found nothing for this many seconds, or this share of its time so far.
PATIENCE, STALL_SHARE = 1.0, 0.5
#: Seconds below which another search is not worth its set-up.
LEAST_SECONDS = 0.3
#: A gain below this, relative to 1 + |value|, is none.
_LEAST_GAIN = 1e-4
#: Most seconds waited for points of a rung that are being improved, and the share of the time left.
_SETTLE_SECONDS, _SETTLE_SHARE = 5.0, 0.1
#: Share of the time left that a joint region model may take.
_REGION_SHARE = 0.15


@dataclass(slots=True, eq=False)
class Ladder:
    """The search of pruned networks for one call.

    Attributes
    ----------
    surrogate : the rungs.
    settings, run, polisher : of the call.
    """

    surrogate: Surrogate
    settings: Settings
    run: Run
    polisher: Polisher
    _models: dict[int, SparseModel] = field(default_factory=dict)

    def climb(self, incumbents: Sequence[DenseIncumbent]) -> None:
        """Search every rung for every objective, the most promising first.

        A rung during which nothing improved halves the share of the next ones. Where a rung ran out of time before its
        solver had found any point, the denser ones are left out.
        """
        count, share = len(self.surrogate.rungs), RUNG_SHARE
        for k, pruning in enumerate(self.surrogate.rungs):
            self._models.clear()
            begun, before = len(self.run.stages), [incumbent.value for incumbent in incumbents]
            self._rung(pruning, incumbents, self._budget(count - k, share))
            if not any(_better(incumbent.value, value) for incumbent, value in zip(incumbents, before, strict=True)):
                share /= 2.0
            searches = [stage for stage in self.run.stages[begun:] if stage["name"] == STAGE]
            if searches and all(too_large(stage) for stage in searches):
                break
        self._models.clear()

    def _budget(self, left: int, share: float) -> float | None:
        """Return the seconds of the next of `left` rungs, None for no limit; `share` is that of the time left."""
        remaining = self.run.remaining
        if not self.surrogate.exact:
            return None if remaining is None else remaining / left
        return MOST_RUNG_SECONDS if remaining is None else share * remaining

    def _rung(self, pruning: Pruning, incumbents: Sequence[DenseIncumbent], seconds: float | None) -> None:
        end = None if seconds is None else time.monotonic() + seconds
        order = sorted(incumbents, key=lambda incumbent: -incumbent.value)
        for k, incumbent in enumerate(order):
            share = None if end is None else (end - time.monotonic()) / (len(order) - k)
            if share is not None and share < LEAST_SECONDS:
                share = LEAST_SECONDS  # too many for the time: the most promising are searched, the others are not
            if end is not None and share is not None and time.monotonic() + share > end + LEAST_SECONDS:
                return
            self._search(pruning, incumbent, share)

    def _search(self, pruning: Pruning, incumbent: DenseIncumbent, seconds: float | None) -> None:
        """Search one pruned network for one objective, then wait for what is being improved."""
        begun = time.monotonic()
        with self.run.stage(STAGE) as record:
            incumbent.report()
            model = self._model(pruning, incumbent)
            search = RungSearch(
                model, incumbent, self.settings, self.run, self.polisher, no_good=self.surrogate.no_good
            )
            left = None if seconds is None else max(0.0, seconds - (time.monotonic() - begun))
            record |= dict(incumbent.label) | search.search(left, *self._patience())
            self.polisher.settle(self.run.share(_SETTLE_SHARE, _SETTLE_SECONDS))
            record |= {"primal_bound": incumbent.sign * incumbent.value if np.isfinite(incumbent.value) else None}
        for notice in model.notices:
            self.run.note(notice)
        if self.surrogate.region_model and search.best is not None:
            with self.run.stage("region model") as record:
                limit = self.run.share(_REGION_SHARE, MOST_SECONDS)
                record |= dict(incumbent.label) | search_region(
                    model, incumbent, search.best, self.settings, self.run, limit
                )

    def _patience(self) -> tuple[float, float]:
        """Return after how many seconds, and which share of its time, a rung without a find gives up."""
        if self.surrogate.exact or self.surrogate.no_good:
            return PATIENCE, STALL_SHARE
        return np.inf, STALL_SHARE

    def _model(self, pruning: Pruning, incumbent: DenseIncumbent) -> SparseModel:
        """Return the pruned network over an incumbent's domain; objectives over one domain share it."""
        key = id(incumbent.domain)
        if key not in self._models:
            self._models[key] = SparseModel.of(
                incumbent.network,
                incumbent.domain,
                pruning,
                incumbent.bounds,
                point=incumbent.point,
                seed=self.settings.seed,
                deadline=self.run.deadline,
            )
        return self._models[key]


def _better(value: float, before: float) -> bool:
    return value > before + _LEAST_GAIN * (1.0 + abs(value))


def too_large(stage: Mapping[str, Any]) -> bool:
    """Return whether a search ran out of time before its solver had found any point."""
    return stage["termination"] == Termination.TIME_LIMIT and not stage["incumbents"]
