"""A network in torch, as a function of one vector: all prunable weights end to end, then the learned biases.

Convolutions stay convolutions, residual sums stay sums; what only moves values is fixed. One vector makes a mask one
product and the straight-through gradient one array, whatever the layers are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray, sparse
from netopt.bounds.torch_maps import Tensor, map_with_weights, torch_map
from netopt.network.composition import is_identity
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Node, Relu
from netopt.network.sparse import Sparse
from netopt.pruning.weights import PrunableMap, prunable_maps, stored_rows

#: A linear map: values (batch, in) and its weights, None where they are fixed -> (batch, out).
_Apply = Callable[[Tensor, Tensor | None], Tensor]


@dataclass(frozen=True, eq=False)
class TorchNetwork:
    """A network whose weights and biases are an argument, the *parameters*: (size,), weights before biases.

    Attributes
    ----------
    network : whose layout it has.
    device, double : where it computes, and whether in float64 rather than float32.
    """

    network: Network
    device: str = "cpu"
    double: bool = False

    @cached_property
    def parts(self) -> tuple[PrunableMap, ...]:
        """The maps that hold learned weights, in the order of the parameters."""
        return prunable_maps(self.network)

    @cached_property
    def offsets(self) -> IntArray:
        """(layers + 1,) where each map's weights begin in the parameters, and where the last one's end."""
        return np.cumsum([0, *(part.weights.size for part in self.parts)], dtype=np.int64)

    @property
    def weights(self) -> int:
        """Number of weights."""
        return int(self.offsets[-1])

    @cached_property
    def biased(self) -> tuple[Affine, ...]:
        """The nodes whose biases are learned: those with learned weights."""
        names = {part.node.name for part in self.parts}
        return tuple(node for node in self.network.affines if node.name in names)

    @cached_property
    def bias_sizes(self) -> IntArray:
        """Number of biases of each biased node: one a channel where a convolution writes it, else one a neuron."""
        return np.array([_bias_size(node) for node in self.biased], dtype=np.int64)

    def tensor(self, values: FloatArray) -> Tensor:
        """Return an array as a tensor on the device."""
        import torch

        return torch.tensor(values, dtype=torch.float64 if self.double else torch.float32, device=self.device)

    def parameters(self) -> Tensor:
        """Return the parameters of the network it was made of."""
        weights = [part.weights.ravel() for part in self.parts]
        biases = [
            node.bias.reshape(size, -1)[:, 0] for node, size in zip(self.biased, self.bias_sizes.tolist(), strict=True)
        ]
        return self.tensor(np.concatenate([np.empty(0), *weights, *biases]))

    def forward(self, x: Tensor, parameters: Tensor) -> Tensor:
        """Return the outputs, (batch, m), for inputs (batch, n); gradients flow into both."""
        pieces = parameters.split([*np.diff(self.offsets).tolist(), *self.bias_sizes.tolist()])
        own = {part.key: piece.reshape(part.weights.shape) for part, piece in zip(self.parts, pieces, strict=False)}
        bias = dict(zip((node.name for node in self.biased), pieces[len(self.parts) :], strict=True))
        values: dict[str, Tensor] = {INPUT: x}
        for node in self.network.nodes:
            if isinstance(node, Relu):
                values[node.name] = values[node.input].relu()
                continue
            terms = [apply(values[source], own.get(key)) for source, key, apply in self._terms[node.name]]
            shift = bias[node.name] if node.name in bias else self._fixed_biases[node.name]
            total = reduce(add, terms)
            values[node.name] = (total.reshape(len(x), len(shift), -1) + shift[:, None]).reshape(len(x), -1)
        return values[self.network.output]

    def to_network(self, parameters: Tensor) -> Network:
        """Return the network with these parameters; every weight stays stored, zero or not."""
        values = parameters.detach().cpu().double().numpy()
        pieces = np.split(values, np.cumsum([*np.diff(self.offsets), *self.bias_sizes])[:-1])
        maps: dict[str, list[LinearMap]] = {node.name: list(node.maps) for node in self.biased}
        for part, piece in zip(self.parts, pieces, strict=False):
            maps[part.node.name][part.index] = _with_values(part.linear_map, piece.reshape(part.weights.shape))
        biases = {
            node.name: piece.repeat(node.size // piece.size)
            for node, piece in zip(self.biased, pieces[len(self.parts) :], strict=True)
        }
        nodes: tuple[Node, ...] = tuple(
            replace(node, maps=tuple(maps[node.name]), bias=biases[node.name])
            if isinstance(node, Affine) and node.name in maps
            else node
            for node in self.network.nodes
        )
        return self.network.with_nodes(nodes)

    def by_part(self, mask: BoolArray) -> dict[str, BoolArray]:
        """Return a mask of all weights, (weights,), map by map, as `Mask.kept` holds it."""
        pieces = np.split(mask, self.offsets[1:-1])
        return {
            part.key: piece.reshape(part.weights.shape).copy() for part, piece in zip(self.parts, pieces, strict=True)
        }

    @cached_property
    def _terms(self) -> dict[str, list[tuple[str, str, _Apply]]]:
        """Name of an Affine -> what it reads, the key of the weights (or nothing) and the map, term by term."""
        keys = {(part.node.name, part.index): part.key for part in self.parts}
        return {
            node.name: [
                (source, keys.get((node.name, k), ""), self._apply(linear_map, (node.name, k) in keys))
                for k, (source, linear_map) in enumerate(zip(node.inputs, node.maps, strict=True))
            ]
            for node in self.network.affines
        }

    def _apply(self, linear_map: LinearMap, learned: bool) -> _Apply:
        if learned and isinstance(linear_map, Dense | Convolution):
            return lambda x, weight: map_with_weights(linear_map, weight).apply(x)
        if learned and isinstance(linear_map, Sparse):
            return self._apply_entries(linear_map)
        if is_identity(linear_map):
            return lambda x, _: x
        fixed = torch_map(linear_map, self.device, self.tensor(np.empty(0)).dtype)
        return lambda x, _: fixed.apply(x)

    def _apply_entries(self, linear_map: Sparse) -> _Apply:
        """Return the product with a sparse matrix whose stored entries are learned."""
        import torch

        matrix = linear_map.weight
        rows = torch.tensor(stored_rows(matrix), dtype=torch.int64, device=self.device)
        columns = torch.tensor(matrix.indices, dtype=torch.int64, device=self.device)

        def apply(x: Tensor, weight: Tensor | None) -> Tensor:
            return x.new_zeros((len(x), matrix.shape[0])).index_add(1, rows, x[:, columns] * weight)

        return apply

    @cached_property
    def _fixed_biases(self) -> dict[str, Tensor]:
        learned = {node.name for node in self.biased}
        return {node.name: self.tensor(node.bias) for node in self.network.affines if node.name not in learned}


def _with_values(linear_map: LinearMap, weights: FloatArray) -> LinearMap:
    if isinstance(linear_map, Convolution):
        return linear_map.with_weight(weights)
    if isinstance(linear_map, Dense):
        return Dense(weights)
    matrix = linear_map.to_csr()
    return Sparse(sparse.csr_array((weights, matrix.indices, matrix.indptr), shape=matrix.shape))


def _bias_size(node: Affine) -> int:
    layout = next((linear_map for linear_map in node.maps if isinstance(linear_map, Convolution)), None)
    if layout is None:
        return node.size
    channels = node.bias.reshape(layout.out_shape[0], -1)
    return layout.out_shape[0] if bool((channels == channels[:, :1]).all()) else node.size
