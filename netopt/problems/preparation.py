"""Pre-activation bounds of each case's domain, made once and kept for the stages that need them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from netopt.bounds.interval import interval_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.network import Network
from netopt.problems.goal import Goal
from netopt.problems.run import Run
from netopt.problems.settings import Settings

if TYPE_CHECKING:
    from netopt.bounds.products import Products

#: From an open goal of a case, and how many cases are left, to the bounds of the case's ReLUs.
BoundsOfCase: TypeAlias = "Callable[[Goal, int], PreactivationBounds]"

#: Products that take as long as a neuron's relaxation in one row of a backward pass.
_AT_A_NEURON = 10
#: Cases whose bounds are kept; more are made again when asked for.
KEPT = 64
#: Share of the time left that CROWN's bounds of all cases, and tightening one case by a solver, may take.
CROWN_SHARE, TIGHTENING_SHARE = 0.5, 0.3
#: The same for CROWN's where a search would take more than this share of the time left for its first bounds.
_CROWN_ALONE, _SLOW_SEARCH = 0.8, 0.05
#: Passes through the network that a search makes for the first bounds of an objective, and products a second then.
_SEARCHED, _PACE = 40, 2e9


@dataclass(eq=False)
class BoundsOfCases:
    """Bounds by case: without a solver first, tightened by one when the settings say so and a proof needs it."""

    network: Network
    settings: Settings
    run: Run
    _open: dict[int, int] = field(default_factory=dict)
    _cheap: OrderedDict[int, PreactivationBounds] = field(default_factory=OrderedDict)
    _quick: OrderedDict[int, PreactivationBounds] = field(default_factory=OrderedDict)
    _tight: OrderedDict[int, PreactivationBounds] = field(default_factory=OrderedDict)

    @property
    def tightens(self) -> bool:
        """Whether the settings ask for bounds that take longer than CROWN's."""
        return self.settings.bounds in ("alpha-crown", "lp", "milp")

    def steps(self, cases: Sequence[Sequence[Goal]]) -> list[tuple[BoundsOfCase, float]]:
        """Return the ways to bound cases that need no solver, the quickest first, and about what products they take."""
        products = self._products
        self._open |= {goals[0].case: len(goals) for goals in cases}
        rows = sum(goal.objective.rows for goals in cases for goal in goals)
        cheap = (2 * len(cases) + rows) * self._forward
        if self.settings.bounds == "interval":
            return [(self.cheap, cheap)]
        read = {relu.input for relu in self.network.relus} | {self.network.output}
        bounded = [node for node in self.network.affines if node.name in read]
        behind = accumulate(node.size for node in bounded)
        crown = sum(
            node.size * (products.row(node) + _AT_A_NEURON * n) for node, n in zip(bounded, behind, strict=True)
        )
        return [(self.cheap, cheap), (self.quick, cheap + len(cases) * float(crown))]

    def search_seconds(self, case: int, count: int) -> float:
        """Return about how long a search takes for the first bounds of so many goals of a case."""
        condensing, one_pass = 0.0, self._forward
        if case in self._quick:
            from netopt.bounds.condensed import searching_products

            condensing, one_pass = searching_products(self.network, self._quick[case])
        return (condensing + _SEARCHED * count * one_pass) / _PACE

    @cached_property
    def _products(self) -> Products:
        from netopt.bounds.products import Products

        return Products(self.network)

    @cached_property
    def _forward(self) -> float:
        """Products of one pass through the network."""
        return float(sum(self._products.own.values()))

    def cheap(self, goal: Goal, cases: int = 1) -> PreactivationBounds:
        """Return interval bounds, which take no longer than a few forward passes, however many cases are left."""
        if goal.case not in self._cheap:
            self._cheap[goal.case] = interval_bounds(self.network, goal.domain)
            self._forget(self._cheap)
        return self._cheap[goal.case]

    def quick(self, goal: Goal, cases: int = 1) -> PreactivationBounds:
        """Return the bounds that need no solver: interval if that was asked for, else CROWN.

        Parameters
        ----------
        cases : how many have to share the time that CROWN may take, this one included.
        """
        if self.settings.bounds == "interval":
            return self.cheap(goal)
        if goal.case not in self._quick:
            from netopt.bounds.crown import crown_bounds

            start, left = self.cheap(goal), self.run.remaining
            deadline = None if left is None else time.monotonic() + self._crown_seconds(goal, left / cases)
            self._quick[goal.case] = crown_bounds(
                self.network, goal.domain, deadline=deadline, start=start, output_rows=False
            )
            self._forget(self._quick)
        return self._quick[goal.case]

    def _crown_seconds(self, goal: Goal, left: float) -> float:
        """Return the seconds that CROWN gets of those left for a case: nearly all where no search could follow."""
        slow = self.search_seconds(goal.case, self._open.get(goal.case, 1)) > _SLOW_SEARCH * left
        return left * (_CROWN_ALONE if slow else CROWN_SHARE)

    def tight(self, goal: Goal) -> PreactivationBounds:
        """Return the tightest bounds that the settings ask for."""
        if not self.tightens:
            return self.quick(goal)
        if goal.case not in self._tight:
            from netopt.tightening.levels import tighten

            self.run.check()
            left = self.run.remaining
            self._tight[goal.case] = tighten(
                self.network,
                goal.domain,
                self.settings.bounds,
                solver=self.settings.plain_solver,
                time_limit=None if left is None else TIGHTENING_SHARE * left,
                threads=self.settings.threads,
                start=self.quick(goal),
                interrupt=self.run.halt,
            )
            self._forget(self._tight)
        return self._tight[goal.case]

    @staticmethod
    def _forget(kept: OrderedDict[int, PreactivationBounds]) -> None:
        while len(kept) > KEPT:
            kept.popitem(last=False)
