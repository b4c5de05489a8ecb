r"""Bounds of a ReLU's pre-activations, each with slopes of its own, over a domain or where an objective is still open.

Each side of each neuron is an objective of its own for `netopt.bounds.phases`. Given rows ``r_i(x) >= 0`` that hold
wherever it matters, multiples of them are added:

.. math:: \max_{x \in D,\ r(x) \ge 0} z_j(x) \le \max_{x \in D} \Big( z_j(x) + \sum_i \gamma_i r_i(x) \Big)
          \quad (\gamma \ge 0).

Kotha, Brix, Kolter, Dvijotham, Zhang, *Provably bounding neural network preimages* (INVPROP, NeurIPS 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray, sparse
from netopt.bounds.inputs import as_inputs
from netopt.bounds.interval import collect
from netopt.bounds.objectives import Objectives
from netopt.bounds.phases import PhaseBounds
from netopt.bounds.preactivation import Pairs, PreactivationBounds
from netopt.bounds.propagation import Propagation, propagate
from netopt.network.network import Network
from netopt.network.nodes import Affine, Relu
from netopt.network.sparse import Sparse
from netopt.network.upstream import upstream
from netopt.specification.domain import Domain

#: Most bounds searched together, so that they stay in the processor's cache; and most neurons of one network.
_BLOCK, _NEURONS = 256, 2048


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """What holds at the points that matter: an objective is at least `enough` there.

    Attributes
    ----------
    rows : one objective, the smallest of its rows.
    excess : how much more than `enough` the objective can be, about; the multiples are searched on its scale.
    """

    rows: Objectives
    enough: float
    excess: float


def bound_neurons(
    network: Network,
    domain: Domain,
    pairs: Pairs,
    relu: Relu,
    steps: int,
    stopped: Callable[[], bool],
    condition: Condition | None = None,
    neurons: IntArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return bounds (lower, upper) of a ReLU's pre-activations, (size,), nowhere looser than `pairs`.

    Parameters
    ----------
    pairs : known bounds of all ReLUs, or without a condition of those in front of `relu` and of itself.
    steps : of the search.
    stopped : asked all the time; neurons it leaves no time for keep their bounds.
    condition : where given, the bounds hold at the points that meet it; ``lower > upper`` tells that there are none.
    neurons : those to look at as far as they are unstable; None for all.
    """
    state = propagate(network, as_inputs(network, domain), pairs)
    lower, upper = state.lower[relu.input][0].copy(), state.upper[relu.input][0].copy()
    open_ = (lower < 0.0) & (upper > 0.0)
    unstable = np.flatnonzero(open_) if neurons is None else neurons[open_[neurons]]
    for first in range(0, unstable.size, _NEURONS):
        some = unstable[first : first + _NEURONS]
        high = _upper(search_of_neurons(network, domain, state, relu, some, condition), steps, 0.0, stopped)
        lower[some] = np.maximum(lower[some], -high[some.size :])
        upper[some] = np.minimum(upper[some], high[: some.size])
    return lower, upper


def bound_outputs(
    network: Network, domain: Domain, bounds: PreactivationBounds, steps: int, stopped: Callable[[], bool]
) -> tuple[FloatArray, FloatArray]:
    """Return bounds (lower, upper) of the network's outputs, (m,), nowhere looser than those in `bounds`."""
    lower, upper = bounds.output_lower.copy(), bounds.output_upper.copy()
    for first in range(0, lower.size, _NEURONS):
        some = np.arange(lower.size)[first : first + _NEURONS]
        one = np.zeros((some.size, lower.size))
        one[np.arange(some.size), some] = 1.0
        search = PhaseBounds(network, domain, bounds, Objectives.separate(np.concatenate([one, -one])))
        high = _upper(search, steps, -np.inf, stopped)
        lower[some] = np.maximum(lower[some], -high[some.size :])
        upper[some] = np.minimum(upper[some], high[: some.size])
    return lower, upper


def _upper(search: PhaseBounds, steps: int, enough: float, stopped: Callable[[], bool]) -> FloatArray:
    """Return bounds of all objectives; the search for one ends where it is at most `enough`."""
    parts, count = search.whole(), search.objectives.count
    upper = np.full(count, np.inf)
    block = min(_BLOCK, search.batch)
    for first in range(0, count, block):
        if stopped():
            break
        some = slice(first, first + block)
        upper[some] = search.bound(parts.take(some), steps, np.full(count, enough), stopped).upper
    return upper


def search_of_neurons(
    network: Network,
    domain: Domain,
    state: Propagation,
    relu: Relu,
    neurons: IntArray,
    condition: Condition | None = None,
) -> PhaseBounds:
    """Return the search for bounds of the neurons themselves, then of their negatives."""
    both = np.concatenate([np.eye(neurons.size), -np.eye(neurons.size)])
    if condition is None:
        part, objectives = _in_front(network, relu, neurons), Objectives.separate(both)
    else:
        part = _beside_output(network, relu, neurons)
        reach = state.upper[relu.input][0, neurons] - state.lower[relu.input][0, neurons]
        objectives = _conditional(both, condition, np.tile(reach, 2))
    known = {r.name: (state.lower[r.input][0], state.upper[r.input][0]) for r in part.relus}
    bounds = collect(propagate(part, as_inputs(part, domain), known), "crown")
    return PhaseBounds(part, domain, bounds, objectives)


def _in_front(network: Network, relu: Relu, neurons: IntArray) -> Network:
    """Return the network in front of a ReLU, its outputs the pre-activations of some neurons."""
    size = network[relu.input].size
    maps = (_selection(neurons, size, neurons.size, 0),)
    chosen = Affine(f"{relu.name}.neurons", (relu.input,), maps, np.zeros(neurons.size))
    return upstream(network.with_nodes((*network.nodes, chosen), chosen.name), chosen)


def _beside_output(network: Network, relu: Relu, neurons: IntArray) -> Network:
    """Return the network with the pre-activations of some neurons in front of its outputs."""
    count, outputs = neurons.size + network.output_size, np.arange(network.output_size)
    maps = (
        _selection(neurons, network[relu.input].size, count, 0),
        _selection(outputs, network.output_size, count, neurons.size),
    )
    chosen = Affine(f"{relu.name}.neurons", (relu.input, network.output), maps, np.zeros(count))
    return network.with_nodes((*network.nodes, chosen), chosen.name)


def _selection(chosen: IntArray, size: int, rows: int, first: int) -> Sparse:
    """Return the map from a vector of `size` to `rows` entries, the chosen ones from the entry `first` on."""
    entries = np.ones(chosen.size), (first + np.arange(chosen.size), chosen)
    return Sparse(sparse.csr_array(entries, shape=(rows, size)))


def _conditional(rows: FloatArray, condition: Condition, reach: FloatArray) -> Objectives:
    """Return the rows (k, neurons), each where the condition holds; a multiplier of 1 weighs both alike."""
    given = condition.rows
    count, width = len(rows), 1 + given.owner.size
    matrix = np.zeros((count, width, rows.shape[1] + given.output_matrix.shape[1]))
    matrix[:, 0, : rows.shape[1]] = rows
    matrix[:, 1:, rows.shape[1] :] = given.output_matrix
    offset, norm = np.zeros((count, width)), np.ones((count, width))
    offset[:, 1:] = np.nextafter(given.offset - condition.enough * given.norm, np.inf)
    norm[:, 1:] = given.norm * (condition.excess / reach[:, None])
    inputs = None
    if given.input_matrix is not None:
        first = sparse.csr_array((1, given.input_matrix.shape[1]))
        inputs = sparse.csr_array(sparse.vstack([first, given.input_matrix] * count, format="csr"))
    return Objectives(
        matrix.reshape(count * width, -1),
        offset.ravel(),
        norm.ravel(),
        np.repeat(np.arange(count), width),
        inputs,
        conditional=True,
    )
