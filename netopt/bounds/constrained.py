r"""Bounds of pre-activations that hold where an objective is still open, and what they bound the objective by.

Only points where the objective t exceeds `enough` matter. Bounds of neurons that hold there are tighter than those over
the domain, the more so the closer the objective is to being closed; with them its bound gets lower, which tightens them
again. Where the bounds of a neuron contradict each other, no such point exists and the objective is closed.

Kotha, Brix, Kolter, Dvijotham, Zhang, *Provably bounding neural network preimages* (INVPROP, NeurIPS 2023).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.inputs import as_inputs
from netopt.bounds.interval import collect
from netopt.bounds.neuron_bounds import Condition, bound_neurons
from netopt.bounds.objectives import Objectives
from netopt.bounds.phases import PhaseBounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import propagate
from netopt.errors import InputError
from netopt.network.network import Network
from netopt.specification.domain import Domain

#: Steps of every search of a neuron's bounds, and of the objective's.
_STEPS, _OBJECTIVE_STEPS = 20, 40


class ConstrainedBounds:
    """The bound of one objective over a domain, and bounds of neurons where the objective is open.

    Parameters
    ----------
    bounds : of this network over this domain.
    objective : a single one.
    enough : what closes it.

    Attributes
    ----------
    bounds : tightened; they hold where the objective exceeds `enough`.
    upper : the least bound so far: the objective exceeds ``max(upper, enough)`` nowhere in the domain.
    points : (k, n) members of the domain met by the last `sweep`, where the objective may be large.

    Raises
    ------
    InputError
        The bounds belong to another network, or there are several objectives.
    """

    def __init__(
        self, network: Network, domain: Domain, bounds: PreactivationBounds, objective: Objectives, enough: float
    ) -> None:
        if objective.count != 1:
            raise InputError(f"bounds can be constrained by one objective at a time, not {objective.count}")
        self.bounds, self.upper = bounds, np.inf
        self._network, self._domain, self._objective, self._enough = network, domain, objective, enough
        self._slopes = {relu.name: np.zeros(relu.size, np.float32) for relu in network.relus}
        for name, (lower, upper) in bounds.pairs.items():
            self._slopes[name] = (upper > -lower).astype(np.float32)
        self.points = self._bound(lambda: False)

    @property
    def closed(self) -> bool:
        """Whether the objective exceeds `enough` nowhere."""
        return self.upper <= self._enough

    def sweep(self, steps: int = _STEPS, stopped: Callable[[], bool] = lambda: False) -> None:
        """Tighten all ReLUs, from the output to the input as the last gain most, and bound the objective again."""
        network, domain, pairs = self._network, self._domain, self.bounds.pairs
        condition = Condition(self._objective, self._enough, self.upper - self._enough)
        for relu in reversed(network.relus):
            if stopped() or self.closed:
                break
            lower, upper = bound_neurons(network, domain, pairs, relu, steps, stopped, condition)
            pairs[relu.name] = lower, upper
            self._close_where(lower, upper)
        if self.closed:
            return
        state = propagate(network, as_inputs(network, domain), pairs)
        for relu in network.relus:
            self._close_where(state.lower[relu.input], state.upper[relu.input])
        if not self.closed:
            self.bounds = collect(state, self.bounds.level).intersect(self.bounds)
            self.points = self._bound(stopped)

    def _close_where(self, lower: FloatArray, upper: FloatArray) -> None:
        """Close the objective where bounds contradict each other: then there is no point to hold at."""
        if bool((lower > upper).any()):
            self.upper = min(self.upper, self._enough)

    def _bound(self, stopped: Callable[[], bool]) -> FloatArray:
        """Bound the objective, beginning with CROWN's slopes and with those found last; return the maximisers."""
        search = PhaseBounds(self._network, self._domain, self.bounds, self._objective)
        parts, ground = search.whole().take(np.zeros(2, dtype=np.int64)), search.ground
        for name, columns in ground.columns.items():
            parts.slope[1, columns] = self._slopes[name][ground.condensed.unstable[name]]
        found = search.bound(parts, _OBJECTIVE_STEPS, np.array([self._enough]), stopped)
        best = int(found.upper.argmin())
        for name, columns in ground.columns.items():
            self._slopes[name][ground.condensed.unstable[name]] = parts.slope[best, columns]
        self.upper = min(self.upper, float(found.upper[best]))
        return found.points
