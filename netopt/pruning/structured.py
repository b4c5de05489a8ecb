"""Whole neurons, or whole filters of convolutions, of the hidden layers: the lowest scores go first.

A unit is one neuron of an Affine that only ReLUs read, or all pixels of one filter where the Affine is a convolution.
A removed unit loses every weight into it and, where nothing else feeds it, every weight out of it. The rate is that of
units, layer by layer; outputs are no units.

* neuron-norm: the Euclidean norm of the weights into the unit.
* neuron-width: the width over the domain of its ReLU, times the influence of that on the outputs
  (`netopt.pruning.influence`), summed over the unit.
* neuron-random: uniform.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.network.convolution import Convolution
from netopt.network.network import Network
from netopt.network.nodes import Affine, Relu
from netopt.pruning.request import Request
from netopt.pruning.select import count_removed, keep_best
from netopt.pruning.weights import PrunableMap, uses, with_weights


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """The units of one Affine.

    Attributes
    ----------
    node, relus : the Affine and the names of the ReLUs that read it.
    parts : its prunable maps.
    unit : (size,) the unit of each neuron, 0 to count - 1.
    count : number of units.
    """

    node: Affine
    relus: tuple[str, ...]
    parts: tuple[PrunableMap, ...]
    unit: IntArray
    count: int

    @property
    def whole(self) -> bool:
        """Whether nothing but prunable weights feeds the units, so that a removed one is constant."""
        return len(self.parts) == len(self.node.maps)

    def summed(self, values: FloatArray) -> FloatArray:
        """Return the sum over each unit: (size,) -> (count,)."""
        summed: FloatArray = np.bincount(self.unit, weights=values, minlength=self.count).astype(np.float64)
        return summed


Score = Callable[[Request, Layer], FloatArray]


def norm_of_weights(request: Request, layer: Layer) -> FloatArray:
    """Score by the norm of the weights into a unit; a kernel counts at every position, which orders alike."""
    squares = np.zeros(layer.node.size)
    for part in layer.parts:
        squared = with_weights(part.linear_map, np.square(part.weights))
        squares += squared.apply(np.ones((1, squared.in_size)))[0]
    return np.sqrt(layer.summed(squares))


def width_of_values(request: Request, layer: Layer) -> FloatArray:
    """Score by how much the outputs may move with a unit."""
    ranges = request.known_ranges
    return layer.summed(np.sum([ranges.width[relu] * ranges.influence[relu] for relu in layer.relus], axis=0))


def at_random(request: Request, layer: Layer) -> FloatArray:
    """Score at random."""
    return request.generator.random(layer.count)


def keep_units(request: Request, score: Score) -> dict[str, BoolArray]:
    """Return the weights of the units kept, the same rate in every layer."""
    layers = unit_layers(request.network, request.parts)
    kept = [keep_best(score(request, layer), count_removed(request.rate, layer.count)) for layer in layers]
    return weights_of_units(request.parts, layers, kept)


def weights_of_units(
    parts: Sequence[PrunableMap], layers: Sequence[Layer], kept: Sequence[BoolArray]
) -> dict[str, BoolArray]:
    """Return which weights of `parts` stay when of each layer the units stay that `kept`, (count,) each, says."""
    removed: dict[str, BoolArray] = {}  # name of a node -> neurons that are constant now
    cut: dict[str, BoolArray] = {}  # name of an Affine -> neurons whose prunable weights go
    for layer, stays in zip(layers, kept, strict=True):
        gone = ~stays[layer.unit]
        cut[layer.node.name] = gone
        if layer.whole:
            removed |= dict.fromkeys(layer.relus, gone)
    return {part.key: _kept_weights(part, cut.get(part.node.name), removed.get(part.source)) for part in parts}


def unit_layers(network: Network, parts: Sequence[PrunableMap]) -> list[Layer]:
    """Return the layers whose units may be removed, in topological order; `parts` are all prunable maps."""
    readers = _relus_alone(network)
    by_node: dict[str, list[PrunableMap]] = {}
    for part in parts:
        by_node.setdefault(part.node.name, []).append(part)
    return [
        Layer(node, readers[node.name], tuple(by_node[node.name]), *_units(node, by_node[node.name]))
        for node in network.affines
        if node.name in by_node and node.name in readers
    ]


def _relus_alone(network: Network) -> dict[str, tuple[str, ...]]:
    """Return the ReLUs that read each hidden Affine which nothing else reads: name -> names."""
    readers: dict[str, tuple[str, ...]] = {}
    for relu in network.relus:
        readers[relu.input] = (*readers.get(relu.input, ()), relu.name)
    others = {source for node in network.nodes if not isinstance(node, Relu) for source in node.inputs}
    return {
        name: relus
        for name, relus in readers.items()
        if name not in others and network.output != name and network.output not in relus
    }


def _units(node: Affine, parts: list[PrunableMap]) -> tuple[IntArray, int]:
    """Return the unit of each neuron and the number of units: filters where a convolution writes them."""
    channels = next((part.linear_map.out_shape[0] for part in parts if isinstance(part.linear_map, Convolution)), None)
    count = node.size if channels is None else channels
    return np.repeat(np.arange(count), node.size // count), count


def _kept_weights(part: PrunableMap, cut: BoolArray | None, removed: BoolArray | None) -> BoolArray:
    """Return the weights that join a value still there to a neuron still there."""
    linear_map = part.linear_map
    rows = np.ones(linear_map.out_size) if cut is None else (~cut).astype(np.float64)
    columns = np.ones(linear_map.in_size) if removed is None else (~removed).astype(np.float64)
    kept: BoolArray = uses(linear_map, columns, rows) > 0.0
    return kept


def by_units(score: Score) -> Callable[[Request], Mapping[str, BoolArray]]:
    """Return the selection that ranks units by a score."""
    return lambda request: keep_units(request, score)
