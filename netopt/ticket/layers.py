r"""The subset-sum problems of a target network: what each learned map asks of its random pair of layers.

Tickets are found for ``s_v h_v``, a multiple of every node's value (`netopt.ticket.scales`): a learned map W from
source a to node v has the targets ``(s_v / s_a) W``, and ReLUs pass scales on because they are positively homogeneous.
Maps that only move, scale or average values have nothing to be found: they are kept as they are, times ``s_v / s_a``.
The output is divided by its scale, once.

Where a largest dimension is given, a filter serves a group of a map's outputs and not all of them: V is masked in
blocks as well, and instead of one problem of dimension D a channel has G problems of dimension D / G. Searches come
far closer to the best subset in low dimensions, so this is what makes wide layers possible; the theorem has one group.

A bias is learned too. A constant channel of value c lifts it through random 1x1 filters: targets ``(s_v / c) b``, one
problem a group, whatever padding the kernels have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray, sparse
from netopt.errors import InputError
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine
from netopt.network.sparse import Sparse
from netopt.pruning.weights import prunable_maps
from netopt.specification.domain import Domain


@dataclass(frozen=True, slots=True, eq=False)
class LearnedMap:
    """A map of the target that is to be found in the random network.

    Attributes
    ----------
    key : the name of its Affine, or ``"name:k"`` for the k-th map of an Affine with several inputs.
    node, index : the Affine and the map's place in it.
    shape : the map with all its weights in one group, Dense or Convolution.
    groups : G, into how many groups its outputs are shared out; block ``t G + g`` is about channel t and group g.
    factor : what the weights are multiplied with.
    positive, negative : (blocks,) whether a block's channel takes values of that sign; each asks for a subset.
    """

    key: str
    node: Affine
    index: int
    shape: Dense | Convolution
    groups: int
    factor: float
    positive: BoolArray
    negative: BoolArray

    @property
    def source(self) -> str:
        """Name of the node it reads."""
        return self.node.inputs[self.index]

    @property
    def used(self) -> BoolArray:
        """Which blocks have a channel that takes values at all, (blocks,)."""
        return self.positive | self.negative

    @property
    def channels(self) -> int:
        """Number of input channels C."""
        return self.shape.in_shape[0] if isinstance(self.shape, Convolution) else self.shape.in_size

    @property
    def blocks(self) -> int:
        """Number of blocks, C G."""
        return self.channels * self.groups

    @property
    def entries(self) -> int:
        """Entries of a block of the kernel: D over the number of groups."""
        return self.shape.parameters // self.blocks

    @property
    def targets(self) -> FloatArray:
        """What the filters kept have to sum up to, (blocks, entries)."""
        moved = np.moveaxis(self.shape.weight, 1, 0)
        return self.factor * np.ascontiguousarray(moved).reshape(self.blocks, -1)

    def with_kernels(self, kernels: FloatArray) -> Dense | Convolution:
        """Return the map whose kernels are these, (blocks, entries)."""
        return self._reading(kernels.reshape(self.channels, -1))

    def of_filters(self, filters: FloatArray, block: IntArray) -> LinearMap:
        """Return the map from channels of U to the outputs: a filter, (m, entries), reaches its block's group."""
        if self.groups == 1:
            return self._reading(filters)
        if isinstance(self.shape, Dense):
            return Sparse(spread_rows(filters, block % self.groups, self.shape.out_size))
        full = np.zeros((block.size, self.groups, filters.shape[1]))
        full[np.arange(block.size), block % self.groups] = filters
        return self._reading(full.reshape(block.size, -1))

    def _reading(self, kernels: FloatArray) -> Dense | Convolution:
        """Return the map with a row of `kernels`, (count, outputs * taps), for each of its input channels."""
        moved = kernels.reshape(kernels.shape[0], *np.delete(self.shape.weight.shape, 1))
        weight = np.ascontiguousarray(np.moveaxis(moved, 0, 1))
        if isinstance(self.shape, Dense):
            return Dense(weight)
        in_shape = (kernels.shape[0], *self.shape.in_shape[1:])
        return Convolution(weight, in_shape, self.shape.strides, self.shape.pads, self.shape.dilations)


@dataclass(frozen=True, slots=True, eq=False)
class LearnedBias:
    """A bias of the target that is to be found in the random network.

    Attributes
    ----------
    key : ``"name.bias"``.
    node : the Affine.
    carried : what the constant channel carries.
    targets : (blocks, entries) the bias a channel, or an output of a matrix, over `carried`; a block is a group.
    pixels : outputs for each entry.
    """

    key: str
    node: Affine
    carried: float
    targets: FloatArray
    pixels: int

    def of_filters(self, filters: FloatArray, block: IntArray) -> LinearMap:
        """Return the map from constant channels of U to the channels of the node."""
        if self.targets.shape[0] == 1:
            return Dense(np.ascontiguousarray(filters.T))
        return Sparse(spread_rows(filters, block, self.targets.size))


def spread_rows(filters: FloatArray, group: IntArray, outputs: int) -> sparse.csr_array:
    """Return the matrix (outputs, m) whose columns hold the filters, (m, entries), each in the rows of its group."""
    count, entries = filters.shape
    rows = group[:, None] * entries + np.arange(entries)
    columns = np.broadcast_to(np.arange(count)[:, None], rows.shape)
    return sparse.csr_array((filters.ravel(), (rows.ravel(), columns.ravel())), shape=(outputs, count))


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """What the ticket's values are over the target's.

    Attributes
    ----------
    nodes : name of a node (or `INPUT`) -> its scale.
    constants : name of a node with a learned bias -> what its constant channel carries.
    """

    nodes: Mapping[str, float]
    constants: Mapping[str, float]


#: The target, its learned maps and biases with factor 1 -> the scales.
Scaling = Callable[[Network, Sequence[LearnedMap], Sequence[LearnedBias]], Scales]


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """All that is to be found, and the scale of every node.

    Attributes
    ----------
    scales : name of a node (or `INPUT`) -> what the ticket's value is over the target's.
    maps, biases : in topological order.
    """

    scales: Mapping[str, float]
    maps: tuple[LearnedMap, ...]
    biases: tuple[LearnedBias, ...]


def learned_layers(network: Network, domain: Domain, scaling: Scaling, dimension: int | None = None) -> Layers:
    """Return what of a network is to be found, for inputs in a domain.

    Parameters
    ----------
    scaling : how many times as large it is looked for (`netopt.ticket.scales`).
    dimension : largest dimension of a problem; outputs are shared out, evenly, among groups until it is met or every
        group has one output. None for one group.

    Raises
    ------
    InputError
        A bias differs between the pixels of a channel, or a network this deep takes the scale out of range.
    """
    signs = _signs(network, domain)
    maps, convolved = [], {}
    for part in prunable_maps(network):
        shape = _in_one_group(part.linear_map)
        count = shape.in_shape[0] if isinstance(shape, Convolution) else shape.in_size
        groups = _groups(shape.weight.shape[0], int(np.prod(shape.weight.shape[2:], dtype=np.int64)), dimension)
        positive, negative = (
            np.repeat(np.logical_or.reduce(side.reshape(count, -1), axis=1), groups) for side in signs[part.source]
        )
        maps.append(LearnedMap(part.key, part.node, part.index, shape, groups, 1.0, positive, negative))
        if isinstance(shape, Convolution):
            convolved[part.node.name] = shape.out_shape[0]
    nodes = {one.node.name: one.node for one in maps if one.node.bias.any()}
    biases = [_bias(node, convolved.get(name, node.size), dimension) for name, node in nodes.items()]
    scales = scaling(network, maps, biases)
    return Layers(
        scales.nodes,
        tuple(replace(one, factor=scales.nodes[one.node.name] / scales.nodes[one.source]) for one in maps),
        tuple(_scaled(one, scales.nodes[one.node.name], scales.constants[one.node.name]) for one in biases),
    )


def _signs(network: Network, domain: Domain) -> dict[str, tuple[BoolArray, BoolArray]]:
    """Return for every node which of its values can be positive and which negative, by what is read alone."""
    signs = {INPUT: (domain.upper > 0.0, domain.lower < 0.0)}
    for node in network.nodes:
        everywhere, nowhere = np.ones(node.size, dtype=bool), np.zeros(node.size, dtype=bool)
        if not isinstance(node, Affine):
            signs[node.name] = everywhere, nowhere
            continue
        averages = (node.bias >= 0.0).all() and all(
            isinstance(m, Sparse) and (m.weight.data >= 0.0).all() and not signs[source][1].any()
            for source, m in zip(node.inputs, node.maps, strict=True)
        )
        signs[node.name] = everywhere, nowhere if averages else everywhere
    return signs


def _in_one_group(linear_map: LinearMap) -> Dense | Convolution:
    if isinstance(linear_map, Dense):
        return linear_map
    if isinstance(linear_map, Convolution):
        if linear_map.groups == 1:
            return linear_map
        filters, read, *kernel = linear_map.weight.shape
        per_group = filters // linear_map.groups
        weight = np.zeros((filters, linear_map.in_shape[0], *kernel))
        group = np.arange(filters) // per_group
        weight[np.arange(filters)[:, None], group[:, None] * read + np.arange(read)] = linear_map.weight
        return Convolution(weight, linear_map.in_shape, linear_map.strides, linear_map.pads, linear_map.dilations)
    return Dense(linear_map.to_csr().toarray())


def _groups(outputs: int, taps: int, dimension: int | None) -> int:
    """Return into how many groups outputs of so many entries each are shared out."""
    if dimension is None:
        return 1
    most = max(1, dimension // taps)
    divisors = np.flatnonzero(outputs % np.arange(1, outputs + 1) == 0) + 1
    return outputs // int(divisors[divisors <= most].max())


def _bias(node: Affine, channels: int, dimension: int | None) -> LearnedBias:
    by_channel = node.bias.reshape(channels, -1)
    if (by_channel != by_channel[:, :1]).any():
        raise InputError(
            f"the bias of {node.name!r} differs between the pixels of a channel, which a constant channel cannot carry;"
            " where a shift of the inputs was folded into a padded convolution, shift the data instead"
        )
    targets = by_channel[:, 0].reshape(_groups(channels, 1, dimension), -1)
    return LearnedBias(f"{node.name}.bias", node, 1.0, targets, by_channel.shape[1])


def _scaled(learned: LearnedBias, scale: float, constant: float) -> LearnedBias:
    return replace(learned, carried=constant, targets=scale / constant * learned.targets)
