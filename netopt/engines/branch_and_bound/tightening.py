"""Tighter bounds of neurons for a search that splits ReLUs: optimised slopes first, then branch and bound on neurons.

Splitting an objective's ReLUs cannot make good for loose bounds of the layers behind: those are tightened once for all
parts, layer by layer, so that later layers profit from earlier ones. Every pass takes more parts a neuron than the one
before, and is worth it only where splitting does not get on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from netopt.bounds.alpha_crown import alpha_crown_bounds
from netopt.bounds.inputs import as_inputs
from netopt.bounds.interval import collect
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import propagate
from netopt.engines.branch_and_bound.neuron_split import NeuronSplit
from netopt.engines.branch_and_bound.search import Problem
from netopt.network.network import INPUT, Network
from netopt.specification.domain import Domain

#: Parts for each neuron in the first pass, how many times more in every further one, and the number of passes.
_PARTS, _GROWTH, _PASSES = 32, 4, 6
#: Seconds of tightening for each second of splitting, and seconds beyond.
_RATIO, _AHEAD = 2.0, 4.0
#: How many times the seconds of the last pass there have to be for another: it takes more parts, or was cut short.
_LONGER = 2.5
#: Seconds of splitting that show whether it gets on.
_TRIAL = 1.0


def split_neurons(
    network: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    parts: int,
    *,
    deadline: float | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> PreactivationBounds:
    """Return bounds of every ReLU by branch and bound on its neurons, nowhere looser than `bounds`.

    Parameters
    ----------
    bounds : of this network over this domain.
    parts : about as many are bounded for each unstable neuron.
    deadline : value of `time.monotonic`; every layer gets the same share of the time that is left.
    stopped : asked all the time; what is reached then is returned.

    Raises
    ------
    InputError
        The bounds belong to another network.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.crown import crown_bounds
    >>> from netopt.engines.branch_and_bound.tightening import split_neurons
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> weights = [[[1.0], [-1.0], [1.0]], [[1.0, 1.0, -1.0]], [[1.0]]]
    >>> network = from_weights(weights, [[0.0, 0.0, 0.5], [0.0], [0.0]])  # |x| - max(0, x + 0.5) inside
    >>> box = Box(np.array([-1.0]), np.array([1.0]))
    >>> crown = crown_bounds(network, box)
    >>> split = split_neurons(network, box, crown, 10)
    >>> crown.lower["layer2.relu"].round(2).tolist(), split.lower["layer2.relu"].round(2).tolist()
    ([-1.5], [-0.5])
    """
    bounds.require(network)
    pairs = bounds.pairs
    behind = [relu for relu in network.relus if set(network[relu.input].inputs) != {INPUT}]  # those in front are exact
    for k, relu in enumerate(behind):
        end = deadline
        if deadline is not None:
            now = time.monotonic()
            end = now + (deadline - now) / (len(behind) - k)

        def over(end: float | None = end) -> bool:
            return stopped() or (end is not None and time.monotonic() >= end)

        split = NeuronSplit(network, domain, pairs, relu)
        split.advance(parts * split.neurons.size, over)
        pairs[relu.name] = split.bounds()
    return collect(propagate(network, as_inputs(network, domain), pairs), bounds.level).intersect(bounds)


@dataclass(slots=True, eq=False)
class Tightening:
    """The passes over one problem, and when it is time for the next.

    Attributes
    ----------
    problem : with the tightest bounds so far.
    spent : seconds.
    passes : number of complete passes.
    """

    problem: Problem
    spent: float = 0.0
    passes: int = 0
    _last: float = 0.0

    def seconds(self, split: float, recent: float, growing: bool) -> float:
        """Return the seconds that a pass may take now; 0 when it is not time for one.

        Parameters
        ----------
        split, recent : seconds of splitting, in all and with the present bounds.
        growing : whether there are more open parts than a while ago.
        """
        worthwhile = self.problem.trail.silent and self.passes <= _PASSES and len(self.problem.network.relus) > 1
        if not (worthwhile and growing and recent >= _TRIAL):
            return 0.0
        seconds = _RATIO * split + _AHEAD - self.spent
        return seconds if seconds > _LONGER * self._last else 0.0

    def advance(self, deadline: float, stopped: Callable[[], bool]) -> None:
        """Make one pass, until a value of `time.monotonic` at most; one that is cut short is made again."""
        begun, problem = time.monotonic(), self.problem

        def over() -> bool:
            return stopped() or time.monotonic() >= deadline

        network, domain = problem.network, problem.domain
        if self.passes == 0:
            bounds = alpha_crown_bounds(network, domain, problem.bounds, stopped=over)
        else:
            parts = _PARTS * _GROWTH ** (self.passes - 1)
            bounds = split_neurons(network, domain, problem.bounds, parts, deadline=deadline, stopped=stopped)
        self.problem = replace(problem, bounds=bounds)
        self.passes += not over()
        self._last = time.monotonic() - begun
        self.spent += self._last
