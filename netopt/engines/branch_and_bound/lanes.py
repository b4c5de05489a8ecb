"""The searches of one problem, taking turns; what one of them closes is closed for all."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.engines.branch_and_bound.schedule import Rule, schedule
from netopt.engines.branch_and_bound.search import Problem, Search, Watch

if TYPE_CHECKING:
    from netopt.engines.branch_and_bound.rounds import Rounds
    from netopt.engines.branch_and_bound.team import Team
    from netopt.engines.branch_and_bound.tightening import Tightening

#: Seconds of a turn, twice as many after a turn in which nothing was bounded: a step of a large network takes long.
_TURN = 1.0
#: Share of a turn after which a search that bounded so many parts in its last one looks whether processes are ready.
_GLANCE, _BRISK = 0.25, 256


@dataclass(slots=True, eq=False)
class _Lane:
    """One search and the time it had; `search` is None before its first turn and after it was given up.

    Times are in seconds of one processor: what several processes spend together counts several times.
    `recent` is what of `spent` the search itself has had, `before` what others bounded before it took over; `growing`
    is whether it had more open parts after its last turn than before, `brisk` whether it bounded many. `tightening` is
    made before the first turn of a rule that tightens.
    """

    rule: Rule
    tightening: Tightening | None = None
    search: Search[Any] | None = None
    rounds: Rounds | None = None
    spent: float = 0.0
    recent: float = 0.0
    turn: float = _TURN
    bounded: int = 0
    before: int = 0
    growing: bool = False
    brisk: bool = False
    ended: bool = False

    @property
    def due(self) -> float:
        """What decides whose turn it is: the lane with the least has it."""
        return max(0.0, self.spent - self.rule.first) / self.rule.share


class Lanes:
    """Bounds several objectives by all the searches that suit them; `advance` may be called again and again.

    Parameters
    ----------
    memory : bytes that the open parts of one search may take; None for no limit.
    team : processes that take part as soon as they are loaded.
    told : called after every turn.

    Attributes
    ----------
    upper : (d,) proven bounds.
    method : (d,) names of the searches they rest on; empty where nothing is proven.
    out_of_memory : whether a search was given up because of its open parts.
    """

    def __init__(
        self,
        problem: Problem,
        watch: Watch,
        memory: float | None = None,
        team: Team | None = None,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        self.problem = problem
        self.upper: FloatArray = np.full(len(problem.objectives), np.inf)
        self.method = [""] * len(problem.objectives)
        self.out_of_memory = False
        self._memory, self._team, self._told = memory, team, told
        self._watch = watch
        self._inside = _Inside(watch, self)
        self._lanes = [_Lane(rule) for rule in schedule(problem)]

    @property
    def open(self) -> BoolArray:
        """Which objectives' bounds do not suffice yet, (d,)."""
        still: BoolArray = self.upper > self._watch.enough()
        return still

    @property
    def finished(self) -> bool:
        """Whether every objective is closed, or no search is left."""
        return all(lane.ended for lane in self._lanes) or not self.open.any()

    @property
    def bounded(self) -> int:
        """Number of parts bounded by all searches."""
        return sum(lane.bounded for lane in self._lanes)

    def advance(self, deadline: float | None, most: int | None = None) -> None:
        """Go on until nothing is left, the watch says stop, a value of `time.monotonic`, or `most` parts bounded."""
        last = None if most is None else self.bounded + most
        if self._team is not None and not self.finished:
            self._team.start()
        while not (self.finished or self._watch.stopped()):
            now = time.monotonic()
            end = np.inf if deadline is None else deadline
            if now >= end or (last is not None and self.bounded >= last):
                return
            lane = min((lane for lane in self._lanes if not lane.ended), key=lambda lane: lane.due)
            cores = self._cores()
            if not self._tighten(lane, now, end, cores):
                # What shows whether splitting gets on takes less time together; other searches need long rounds.
                turn = lane.turn / cores if lane.rule.tightens else lane.turn
                if self._team is not None and cores == 1 and lane.brisk:
                    turn *= _GLANCE
                self._turn(lane, min(end, now + turn), None if last is None else last - self.bounded)
                lane.recent += (time.monotonic() - now) * cores
            lane.spent += (time.monotonic() - now) * cores
            self._told()

    def _cores(self) -> int:
        """Return how many processes take part, this one included."""
        if self._team is None:
            return 1
        from netopt.engines.branch_and_bound.team import processes

        return processes(self._team)

    def _tighten(self, lane: _Lane, now: float, deadline: float, cores: int) -> bool:
        """Give a search that does not get on tighter bounds to begin anew with; return whether it was time for that."""
        if not lane.rule.tightens:
            return False
        if lane.tightening is None:
            from netopt.engines.branch_and_bound.tightening import Tightening

            lane.tightening = Tightening(self.problem)
        tightening = lane.tightening
        left = (deadline - now) * cores
        seconds = tightening.seconds(lane.spent - tightening.spent, lane.recent, lane.growing, left)
        if seconds == 0.0:
            return False
        closes = tightening.advance(
            now + seconds / cores, self._watch.stopped, self._team, upper=self.upper, enough=self._inside.enough()
        )
        self._lower_upper(np.where(closes, self._inside.enough(), np.inf), lane)
        lane.search, lane.before, lane.recent = None, lane.bounded, 0.0
        return True

    def _turn(self, lane: _Lane, deadline: float, most: int | None) -> None:
        if lane.search is None:
            tightening = lane.tightening
            lane.search = lane.rule.make(self.problem if tightening is None else tightening.problem, self._inside)
        search = lane.search
        count = search.open.count
        _drop_closed(search, self._inside.enough())
        self._advance(lane, search, deadline, most)
        bounded = lane.before + search.bounded
        lane.turn = 2.0 * lane.turn if bounded == lane.bounded else _TURN
        lane.brisk = bounded - lane.bounded >= _BRISK
        lane.bounded, lane.growing = bounded, search.open.count > count
        self._lower_upper(search.upper, lane)
        heavy = self._memory is not None and array_bytes(search.open) > self._memory
        if search.finished or heavy:
            self.out_of_memory |= heavy and not search.finished
            lane.ended, lane.search = True, None

    def _lower_upper(self, upper: FloatArray, lane: _Lane) -> None:
        """Note proven bounds, and what they rest on."""
        for k in np.flatnonzero(upper < self.upper):
            self.method[k] = lane.rule.name
        self.upper = np.minimum(self.upper, upper)

    def _advance(self, lane: _Lane, search: Search[Any], deadline: float, most: int | None) -> None:
        """Advance a search: with the team where that has something to work on, else until it has."""
        if self._team is None or not self._team.ready():
            search.advance(deadline, most)
        elif search.open.count <= self._team.count:
            search.advance(deadline, 1)
        else:
            from netopt.engines.branch_and_bound.rounds import Rounds

            if lane.rounds is None:
                lane.rounds = Rounds(self._team, lane.rule.make)
            lane.rounds.advance(search, deadline, most)


@dataclass(frozen=True, slots=True)
class _Inside:
    """What a search is told: an objective that another one has closed needs nothing more."""

    watch: Watch
    lanes: Lanes = field(repr=False)

    def enough(self) -> FloatArray:
        return np.where(self.lanes.open, self.watch.enough(), np.inf)

    def stopped(self) -> bool:
        return self.watch.stopped()

    def seen(self, objective: int, points: FloatArray) -> None:
        self.watch.seen(objective, points)


def _drop_closed(search: Search[Any], enough: FloatArray) -> None:
    """Close the parts whose bounds suffice by now."""
    upper = search.open.upper
    done = (upper <= enough).all(axis=1)
    if done.any():
        search.closed_upper = np.maximum(search.closed_upper, upper[done].max(axis=0))
        search.open = search.open.take(~done)


def array_bytes(value: Any) -> int:
    """Return the bytes of all arrays in a dataclass."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if dataclasses.is_dataclass(value):
        return sum(array_bytes(getattr(value, item.name)) for item in dataclasses.fields(value))
    return 0
