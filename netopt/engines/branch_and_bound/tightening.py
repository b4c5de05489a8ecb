"""Tighter bounds of neurons for a search that splits ReLUs: optimised slopes first, then branch and bound on neurons.

Splitting an objective's ReLUs cannot make good for loose bounds of the layers behind: those are tightened once for all
parts, layer by layer, so that later layers profit from earlier ones. Every pass takes more parts a neuron than the one
before, and is worth it only where splitting does not get on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.engines.branch_and_bound.layer_pass import SLOPES, split_neurons
from netopt.engines.branch_and_bound.open_domain import where_open
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.branch_and_bound.team import Team, processes

#: Parts for each neuron in the first pass, how many times more in every further one, and the number of passes.
_PARTS, _GROWTH, _PASSES = 32, 4, 6
#: Seconds of tightening for each second of splitting, and seconds beyond; all seconds are those of one processor.
_RATIO, _AHEAD = 4.0, 3.0
#: How many times the seconds of the last pass over the domain there have to be for another: it takes more parts, or was
#: cut short.
_LONGER = 2.5
#: Seconds without which no pass is begun.
_LEAST = 1.0
#: Share of the seconds of a pass for bounds over the whole domain; the others are for bounds where objectives are open.
_EVERYWHERE = 0.75
#: Seconds of splitting that show whether it gets on.
_TRIAL = 0.5


@dataclass(slots=True, eq=False)
class Tightening:
    """The passes over one problem, and when it is time for the next.

    Attributes
    ----------
    problem : with the tightest bounds so far.
    spent : seconds, times the processes that took part.
    passes : number of complete passes.
    """

    problem: Problem
    spent: float = 0.0
    passes: int = 0
    _last: float = 0.0

    def seconds(self, split: float, recent: float, growing: bool, left: float = np.inf) -> float:
        """Return the seconds of one processor that a pass may take now; 0 when it is not time for one.

        Parameters
        ----------
        split, recent : seconds of splitting, in all and with the present bounds.
        growing : whether there are more open parts than a while ago.
        left : seconds at most.
        """
        worthwhile = self.problem.trail.silent and self.passes <= _PASSES and len(self.problem.network.relus) > 1
        if not (worthwhile and growing and recent >= _TRIAL):
            return 0.0
        seconds = min(_RATIO * split + _AHEAD - self.spent, left)
        return seconds if seconds > max(_LEAST, _LONGER * self._last) else 0.0

    def advance(
        self,
        deadline: float,
        stopped: Callable[[], bool],
        team: Team | None = None,
        *,
        upper: FloatArray,
        enough: FloatArray,
    ) -> BoolArray:
        """Make one pass, until a value of `time.monotonic` at most; one that is cut short is made again.

        Parameters
        ----------
        upper, enough : (d,) proven bounds of the objectives, and what closes them.

        Returns
        -------
        Which objectives the pass closes, (d,).
        """
        begun, problem = time.monotonic(), self.problem
        end = begun + _EVERYWHERE * (deadline - begun)
        bounds = split_neurons(
            problem.network,
            problem.domain,
            problem.bounds,
            SLOPES if self.passes == 0 else _PARTS * _GROWTH ** (self.passes - 1),
            deadline=end,
            stopped=stopped,
            team=team,
        )
        self.passes += not (stopped() or time.monotonic() >= end)
        now = time.monotonic()
        self._last = (now - begun) * processes(team)
        end = min(deadline, now + (1.0 / _EVERYWHERE - 1.0) * (now - begun))
        self.problem, closes = where_open(replace(problem, bounds=bounds), upper, enough, stopped, end, team)
        self.spent += (time.monotonic() - begun) * processes(team)
        return closes
