r"""Bounds of one layer's pre-activations by branch and bound on the neurons themselves.

Each side of each unstable neuron is an objective of its own over the network in front of it: the parts of hundreds of
them are bounded in one batch. What a bound is worth is told by the triangle above the ReLU, whose height is

.. math:: h(l, u) = \frac{-l u}{u - l}, \qquad \frac{\partial h}{\partial u} = \frac{l^2}{(u - l)^2}, \qquad
          \frac{\partial h}{\partial (-l)} = \frac{u^2}{(u - l)^2},

so that the side nearer to zero counts most, the other one hardly. A neuron is done once one of its sides is at most
zero: its phase is known. The bound of a side is the largest of its parts at any time.

The batched counterpart of tightening by MILPs: Tjeng, Xiao, Tedrake, *Evaluating robustness of neural networks with
mixed integer programming* (ICLR 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.inputs import as_inputs
from netopt.bounds.neuron_bounds import search_of_neurons
from netopt.bounds.phases import PhaseBounds
from netopt.bounds.preactivation import Pairs
from netopt.bounds.propagation import propagate
from netopt.engines.branch_and_bound.branching import NONE, candidates, choose
from netopt.engines.branch_and_bound.open_phases import OpenPhases
from netopt.network.network import Network
from netopt.network.nodes import Relu
from netopt.specification.domain import Domain

#: Steps on the slopes of a side over the domain, and on slopes and multipliers of a part.
_FIRST_STEPS, _STEPS = 20, 3
#: Neurons tried a part: with hundreds of sides, more parts tell more than better ones.
_TRIED = 4
#: Most parts split at once.
_BATCH = 256
#: Share of a side's parts that are split in one round: the worst.
_SHARE = 0.25
#: Sides whose bound changes the triangle by less than this part of its own change are left alone.
_WORTH = 0.05
#: Most neurons of a layer; those nearest to being stable are taken.
_NEURONS = 1024


class NeuronSplit:
    """The sides of a layer's unstable neurons, split and bounded; `advance` may be called again and again.

    Parameters
    ----------
    pairs : known bounds of the ReLUs in front of `relu` and of itself, name -> (lower, upper).
    neurons : those to look at as far as they are unstable; None for all.

    Attributes
    ----------
    neurons : (k,) those that are searched; objectives are their upper bounds, then their negated lower ones.
    bounded : number of parts bounded so far.
    """

    def __init__(
        self, network: Network, domain: Domain, pairs: Pairs, relu: Relu, neurons: IntArray | None = None
    ) -> None:
        state = propagate(network, as_inputs(network, domain), pairs)
        self._lower, self._upper = state.lower[relu.input][0], state.upper[relu.input][0]
        self.neurons = _nearest_to_stable(self._lower, self._upper, neurons)
        self.bounded = 0
        self._known = np.concatenate([self._upper[self.neurons], -self._lower[self.neurons]])
        self._closed: FloatArray = np.full(self._known.size, -np.inf)
        self._enough = np.zeros(self._known.size)
        self._bounds: PhaseBounds | None = None
        if self.neurons.size:
            self._bounds = search_of_neurons(network, domain, state, relu, self.neurons)
            whole = OpenPhases.whole(self._bounds.whole(), np.zeros(self._known.size, dtype=np.int64), _TRIED)
            self._open = replace(whole, bound=self._known.copy())

    @property
    def sides(self) -> FloatArray:
        """Bounds of the neurons, then of their negatives, (2k,)."""
        value = self._closed.copy()
        if self._bounds is not None:
            np.maximum.at(value, self._open.parts.objective, self._open.bound)
        least: FloatArray = np.minimum(value, self._known)
        return least

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return bounds (lower, upper) of the whole layer, (size,) each."""
        lower, upper, sides = self._lower.copy(), self._upper.copy(), self.sides
        upper[self.neurons], lower[self.neurons] = sides[: self.neurons.size], -sides[self.neurons.size :]
        return lower, upper

    def advance(self, most: int, stopped: Callable[[], bool]) -> None:
        """Go on until `most` parts are bounded, nothing is worth a split, or `stopped` says so."""
        if self._bounds is None:
            return
        last = self.bounded + most
        while not stopped() and self.bounded < last:
            self._drop(~self._wanted()[self._open.parts.objective])
            chosen = self._open.fresh if self._open.fresh.any() else self._worst()
            if not chosen.any():
                return
            self._round(self._bounds, chosen, stopped)

    def _wanted(self) -> BoolArray:
        """Return which sides are worth more parts, (2k,)."""
        up, down = np.split(self.sides, 2)
        undecided = (up > 0.0) & (down > 0.0)
        width = np.where(undecided, up + down, 1.0)
        return np.concatenate([undecided & ((down / width) ** 2 >= _WORTH), undecided & ((up / width) ** 2 >= _WORTH)])

    def _worst(self) -> BoolArray:
        """Return the parts that hold the bounds of their sides, at least one a side, (open parts,)."""
        side, bound = self._open.parts.objective, self._open.bound
        order = np.lexsort((-bound, side))
        of = side[order]
        rank = np.arange(of.size) - np.searchsorted(of, of)
        # A side held by a part that cannot be split any more gains nothing from others.
        held = self._closed[of] >= bound[order]
        first = (rank < np.maximum(1.0, _SHARE * np.bincount(side, minlength=self._closed.size)[of])) & ~held
        chosen = np.zeros(self._open.count, dtype=bool)
        chosen[order[first]] = True
        return chosen

    def _round(self, bounds: PhaseBounds, chosen: BoolArray, stopped: Callable[[], bool]) -> None:
        """Bound the fresh parts or split the others, a batch at a time; the most promising sides first."""
        batch, self._open = self._open.take(chosen), self._open.take(~chosen)
        batch = batch.take(np.argsort(np.abs(self.sides)[batch.parts.objective], kind="stable"))
        size = max(1, min(_BATCH, bounds.batch // 2))
        for first in range(0, batch.count, size):
            if stopped():
                self._open = self._open.then(batch.take(slice(first, None)))
                return
            some = batch.take(slice(first, first + size))
            if some.fresh.all():
                some = replace(some, fresh=np.zeros(some.count, dtype=bool))
                self._bound(bounds, some, _FIRST_STEPS, stopped)
            else:
                neuron = choose(bounds, some.parts, some.tried, self._enough)[:, 0]
                halves = some.halves(neuron, np.tile(some.number, 2))
                self._bound(bounds, halves, _STEPS, stopped)

    def _bound(self, bounds: PhaseBounds, batch: OpenPhases, steps: int, stopped: Callable[[], bool]) -> None:
        """Bound parts; keep those that can be split further."""
        answer = bounds.bound(batch.parts, steps, self._enough, stopped)
        self.bounded += batch.count
        tried = candidates(batch.parts, answer.looseness, _TRIED)
        batch = replace(batch, bound=np.minimum(answer.upper, batch.bound), tried=tried)
        last = (batch.bound > 0.0) & (tried == NONE).all(axis=1)
        if steps < _FIRST_STEPS and last.any():  # where no split helps any more, only further steps do
            self._bound(bounds, batch.take(last), _FIRST_STEPS, stopped)
            batch = batch.take(~last)
        self._open = self._open.then(batch)
        self._drop((self._open.bound <= 0.0) | ((self._open.tried == NONE).all(axis=1) & ~self._open.fresh))

    def _drop(self, done: BoolArray) -> None:
        """Split some parts no further."""
        if done.any():
            np.maximum.at(self._closed, self._open.parts.objective[done], self._open.bound[done])
            self._open = self._open.take(~done)


def _nearest_to_stable(lower: FloatArray, upper: FloatArray, among: IntArray | None) -> IntArray:
    """Return unstable neurons, ascending; where there are too many, those nearest to being stable."""
    open_ = (lower < 0.0) & (upper > 0.0)
    unstable = np.flatnonzero(open_) if among is None else among[open_[among]]
    if unstable.size <= _NEURONS:
        return unstable
    near = np.minimum(upper, -lower)[unstable] / (upper - lower)[unstable]
    return np.sort(unstable[np.argpartition(near, _NEURONS)[:_NEURONS]])
