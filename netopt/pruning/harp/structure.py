r"""What HARP chooses from: single weights, or whole channels; and what a choice costs.

A *group* is what is kept or removed as one: a weight, or all weights into a unit (a filter of a convolution, a neuron
of a dense layer) with its bias, where nothing else feeds it and its value goes through learned weights only, so that a
mask on units scales their pre-activations. Groups lie end to end, layer by layer.
Every prunable map p costs :math:`m_p` when nothing is removed: its weights, or for channels its multiply-adds. With the
share :math:`r_l` of its groups that layer l keeps, the share of the cost that is left is

.. math:: c(r) = \sum_p m_p\, r_{out(p)}\, r_{in(p)} \Big/ \sum_p m_p ,

where out(p) is the layer whose groups p feeds and in(p), for channels, the one whose units it reads (1 where there is
none). For single weights it is :math:`\sum_l r_l N_l / \sum_l N_l`.

Scores start at :math:`\sqrt{6 / \text{fan-in}}\; w / \max |w|` (Zhao, Wressnegger, ICLR 2023), for units with the norm
of the weights into them for w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.errors import InputError
from netopt.network.convolution import Convolution
from netopt.network.sparse import Sparse
from netopt.pruning.harp.torch_network import TorchNetwork
from netopt.pruning.structured import Layer, unit_layers, weights_of_units
from netopt.pruning.weights import PrunableMap, stored_rows


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """The groups of a network's parameters.

    Attributes
    ----------
    names : (layers,) what each layer is called: the key of a map, or the name of an Affine.
    offsets : (layers + 1,) where its groups begin.
    group : (parameters,) the group of each parameter; the number of groups where it always stays.
    cost : (maps,) float64, what each costs.
    out, source : (maps,) the number of the layer it feeds and of the one it reads, `layers` where there is none.
    units : the layers of units that groups are; none where they are single weights.
    """

    names: tuple[str, ...]
    offsets: IntArray
    group: IntArray
    cost: FloatArray
    out: IntArray
    source: IntArray
    units: tuple[Layer, ...] = field(default=(), repr=False)

    @property
    def sizes(self) -> IntArray:
        """(layers,) number of groups."""
        return np.diff(self.offsets)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return int(self.offsets[-1])

    def share(self, rates: FloatArray) -> tuple[float, FloatArray]:
        """Return the share of the cost that is left and its gradient, for the share of groups each layer keeps."""
        whole = np.append(rates, 1.0)
        cost = self.cost / self.cost.sum()
        gradient = np.zeros(whole.size)
        np.add.at(gradient, self.out, cost * whole[self.source])
        np.add.at(gradient, self.source, cost * whole[self.out])
        return float(cost @ (whole[self.out] * whole[self.source])), gradient[:-1]

    def share_of(self, kept: Sequence[BoolArray]) -> float:
        """Return the share of the cost that masks of all maps leave."""
        return float(self.cost @ [mask.mean() for mask in kept] / self.cost.sum())

    def start_scores(self, model: TorchNetwork, parameters: FloatArray) -> FloatArray:
        """Return the scores, (groups,), that training begins with."""
        fan_in = np.concatenate([_fan_in(part) for part in model.parts])
        values = parameters
        if self.units:
            inside = self.group[: model.weights]
            squares = np.bincount(inside, np.square(parameters[: model.weights]), self.groups + 1)
            counts = np.bincount(inside, minlength=self.groups + 1)
            fan_in = (np.bincount(inside, fan_in, self.groups + 1) / np.maximum(counts, 1))[:-1]
            values = np.sqrt(squares)
        values = values[: self.groups]
        largest = np.maximum.reduceat(np.abs(values), self.offsets[:-1])
        scores: FloatArray = np.sqrt(6.0 / fan_in) * values / np.repeat(largest + (largest == 0.0), self.sizes)
        return scores

    def weight_mask(self, model: TorchNetwork, kept: BoolArray) -> dict[str, BoolArray]:
        """Return what stays of every map with the groups in `kept`, (groups,); what leaves a removed unit goes too."""
        if not self.units:
            return model.by_part(kept)
        return weights_of_units(model.parts, self.units, np.split(kept, self.offsets[1:-1]))


def find_structure(model: TorchNetwork, kind: str) -> Structure:
    """Return the groups of ``"weights"`` or ``"channels"``.

    Raises
    ------
    InputError
        The network has none.
    """
    if not model.parts:
        raise InputError("the network has no weights that could be pruned; use it as it is")
    return _weights(model) if kind == "weights" else _channels(model)


def _weights(model: TorchNetwork) -> Structure:
    layers, count = len(model.parts), model.weights
    group = np.arange(count + int(model.bias_sizes.sum()))
    names = tuple(part.key for part in model.parts)
    nowhere = np.full(layers, layers)
    cost = np.diff(model.offsets).astype(np.float64)
    return Structure(names, model.offsets, np.minimum(group, count), cost, np.arange(layers), nowhere)


def _channels(model: TorchNetwork) -> Structure:
    units = unit_layers(model.network, model.parts)
    if not units:
        raise InputError("the network has no hidden layer whose channels could be removed; prune single weights")
    offsets = np.cumsum([0, *(layer.count for layer in units)], dtype=np.int64)
    number = {layer.node.name: k for k, layer in enumerate(units)}
    whole = {relu: k for k, layer in enumerate(units) if layer.whole for relu in layer.relus}
    group = [_unit_of_weight(part, units, number, offsets) for part in model.parts]
    moved = _read_by_fixed_maps(model)
    for node, size in zip(model.biased, model.bias_sizes.tolist(), strict=True):
        own = number.get(node.name)
        if own is None or not units[own].whole or moved.intersection(units[own].relus):
            group.append(np.full(size, offsets[-1]))
        else:
            group.append(offsets[own] + units[own].unit.reshape(size, -1)[:, 0])
    return Structure(
        tuple(layer.node.name for layer in units),
        offsets,
        np.concatenate(group),
        np.array([_multiply_adds(part) for part in model.parts], dtype=np.float64),
        np.array([number.get(part.node.name, len(units)) for part in model.parts]),
        np.array([whole.get(part.source, len(units)) for part in model.parts]),
        tuple(units),
    )


def _unit_of_weight(part: PrunableMap, units: Sequence[Layer], number: dict[str, int], offsets: IntArray) -> IntArray:
    own = number.get(part.node.name)
    if own is None:
        return np.full(part.weights.size, offsets[-1])
    if isinstance(part.linear_map, Sparse):
        return np.asarray(offsets[own] + units[own].unit[stored_rows(part.linear_map.weight)])
    rows = part.weights.shape[0]  # neurons or channels
    first = units[own].unit.reshape(rows, -1)[:, 0]
    return np.repeat(offsets[own] + first, part.weights.size // rows)


def _read_by_fixed_maps(model: TorchNetwork) -> set[str]:
    """Return the nodes read by maps whose weights stay: what a removed unit's bias makes of it goes on through them."""
    learned = {(part.node.name, part.index) for part in model.parts}
    return {
        source
        for node in model.network.affines
        for k, source in enumerate(node.inputs)
        if (node.name, k) not in learned
    }


def _multiply_adds(part: PrunableMap) -> int:
    pixels = int(np.prod(part.linear_map.out_shape[1:])) if isinstance(part.linear_map, Convolution) else 1
    return part.weights.size * pixels


def _fan_in(part: PrunableMap) -> FloatArray:
    """Return, for every stored weight, how many weights feed the same neuron."""
    if isinstance(part.linear_map, Sparse):
        rows = stored_rows(part.linear_map.weight)
        return np.bincount(rows)[rows].astype(np.float64)
    weights = part.weights
    return np.full(weights.size, weights.size / weights.shape[0])
