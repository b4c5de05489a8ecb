"""Pre-activation bounds of each case's domain, made once and kept for the stages that need them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias

from netopt.bounds.interval import interval_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.network import Network
from netopt.problems.goal import Goal
from netopt.problems.run import Run
from netopt.problems.settings import Settings

#: From an open goal of a case, and how many cases are left, to the bounds of the case's ReLUs.
BoundsOfCase: TypeAlias = "Callable[[Goal, int], PreactivationBounds]"

#: Products that take as long as a neuron's relaxation in one row of a backward pass.
_AT_A_NEURON = 10
#: Cases whose bounds are kept; more are made again when asked for.
KEPT = 64
#: Share of the time left that CROWN's bounds of all cases, and tightening one case by a solver, may take.
CROWN_SHARE, TIGHTENING_SHARE = 0.5, 0.3


@dataclass(slots=True, eq=False)
class BoundsOfCases:
    """Bounds by case: without a solver first, tightened by one when the settings say so and a proof needs it."""

    network: Network
    settings: Settings
    run: Run
    _cheap: OrderedDict[int, PreactivationBounds] = field(default_factory=OrderedDict)
    _quick: OrderedDict[int, PreactivationBounds] = field(default_factory=OrderedDict)
    _tight: OrderedDict[int, PreactivationBounds] = field(default_factory=OrderedDict)

    @property
    def tightens(self) -> bool:
        """Whether the settings ask for bounds that take longer than CROWN's."""
        return self.settings.bounds in ("alpha-crown", "lp", "milp")

    def steps(self, cases: Sequence[Sequence[Goal]]) -> list[tuple[BoundsOfCase, float]]:
        """Return the ways to bound cases that need no solver, the quickest first, and about what products they take."""
        from netopt.bounds.products import Products

        products = Products(self.network)
        rows = sum(goal.objective.rows for goals in cases for goal in goals)
        cheap = (2 * len(cases) + rows) * float(sum(products.own.values()))
        if self.settings.bounds == "interval":
            return [(self.cheap, cheap)]
        read = {relu.input for relu in self.network.relus} | {self.network.output}
        bounded = [node for node in self.network.affines if node.name in read]
        behind = accumulate(node.size for node in bounded)
        crown = sum(
            node.size * (products.row(node) + _AT_A_NEURON * n) for node, n in zip(bounded, behind, strict=True)
        )
        return [(self.cheap, cheap), (self.quick, cheap + len(cases) * float(crown))]

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

            left = self.run.remaining
            deadline = None if left is None else time.monotonic() + CROWN_SHARE * left / cases
            self._quick[goal.case] = crown_bounds(self.network, goal.domain, deadline=deadline, start=self.cheap(goal))
            self._forget(self._quick)
        return self._quick[goal.case]

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
