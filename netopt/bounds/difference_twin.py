r"""Two networks with the same nodes as one: the twin that differences are bounded on.

The nodes of the dense network f and the sparse network g stand side by side (``dense/layer1.relu`` next to
``sparse/layer1.relu``), read the same input, and are bounded in one sweep. With ``R = W - W'`` an Affine's
difference is

.. math:: d = W x_f + b - W' x_g - b' = W d_x + R\, x_g + (b - b') = W' d_x + R\, x_f + (b - b') ,

with :math:`d_x = 0` at the input, where ``R x`` is bounded over the domain itself. Both forms bound every source.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse as scipy_sparse

from netopt.arrays import FloatArray
from netopt.bounds.inputs import BoxBatch
from netopt.bounds.propagation import Propagation, affine_terms
from netopt.bounds.rounding import TINY, gamma, middle_and_radius, sound_lower, sound_upper
from netopt.checks import check_kind
from netopt.errors import InputError
from netopt.network.composition import add_maps
from netopt.network.linear_map import LinearMap
from netopt.network.naming import with_prefix
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Node
from netopt.network.sparse import Sparse

Interval = tuple[FloatArray, FloatArray]


def dense_name(name: str) -> str:
    """Return what the twin calls a node of the dense network."""
    return name if name == INPUT else f"dense/{name}"


def sparse_name(name: str) -> str:
    """Return what the twin calls a node of the sparse network."""
    return name if name == INPUT else f"sparse/{name}"


@dataclass(frozen=True, eq=False)
class Twin:
    """A dense network and a sparse one with the same nodes.

    Raises
    ------
    InputError
        The nodes differ in name, kind, size, order or in what they read.
    """

    dense: Network
    sparse: Network

    def __post_init__(self) -> None:
        for network in (self.dense, self.sparse):
            check_kind(network, Network, "the network", "read it with netopt.load_network")
        _check_pair(self.dense, self.sparse)

    @cached_property
    def network(self) -> Network:
        """Both networks side by side; the output is the dense one's."""
        nodes: list[Node] = []
        for node, other in zip(self.dense.nodes, self.sparse.nodes, strict=True):
            nodes += [with_prefix(node, "dense/"), with_prefix(other, "sparse/")]
        return self.dense.with_nodes(tuple(nodes), dense_name(self.dense.output))

    @cached_property
    def _removed(self) -> dict[str, tuple[LinearMap, ...]]:
        """Name of an Affine -> the maps ``W - W'``."""
        removed = {}
        for node in self.dense.affines:
            other = self.sparse[node.name]
            assert isinstance(other, Affine)
            removed[node.name] = tuple(_minus(w, v) for w, v in zip(node.maps, other.maps, strict=True))
        return removed

    def affine_difference(self, name: str, state: Propagation, known: dict[str, Interval]) -> Interval:
        """Return bounds of the difference of an Affine, each (size,).

        Parameters
        ----------
        state : bounds of the twin's nodes up to this one.
        known : name of a node -> bounds of its difference, for the sources.
        """
        node, other = self.dense[name], self.sparse[name]
        assert isinstance(node, Affine)
        assert isinstance(other, Affine)
        lower = node.bias - other.bias
        upper = lower.copy()
        magnitude = np.abs(node.bias) + np.abs(other.bias)
        terms = affine_terms(node) + affine_terms(other) + state.inputs.lower.shape[1] * (INPUT in node.inputs) + 8
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            parts = zip(node.inputs, node.maps, other.maps, self._removed[name], strict=True)
            for source, dense_map, sparse_map, removed in parts:
                if source == INPUT:
                    low, high, size = _of_inputs(removed, state)
                else:
                    low, high, size = _of_node(source, dense_map, sparse_map, removed, state, known[source])
                lower, upper, magnitude = lower + low, upper + high, magnitude + size
            # Each network's forward pass rounds by its own magnitude; the products above by theirs.
            magnitude += state.magnitude[dense_name(name)][0] + state.magnitude[sparse_name(name)][0]
            error = 8.0 * gamma(terms) * magnitude + 8.0 * terms * TINY
            return sound_lower(lower - error), sound_upper(upper + error)


def _of_inputs(removed: LinearMap, state: Propagation) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (lower, upper, magnitude) of ``R x`` over the domain."""
    inputs = state.inputs
    low, high, size = _product(removed, inputs.lower, inputs.upper)
    if not isinstance(inputs, BoxBatch):
        inputs.tighten_range(removed, low, high)
    return low[0], high[0], size[0]


def _of_node(
    source: str, dense_map: LinearMap, sparse_map: LinearMap, removed: LinearMap, state: Propagation, known: Interval
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (lower, upper, magnitude) of ``W x_f - W' x_g``, from both ways to write it."""
    first = _product(dense_map, known[0][None], known[1][None])
    second = _product(sparse_map, known[0][None], known[1][None])
    of_sparse = _product(removed, state.lower[sparse_name(source)], state.upper[sparse_name(source)])
    of_dense = _product(removed, state.lower[dense_name(source)], state.upper[dense_name(source)])
    low = np.fmax(first[0] + of_sparse[0], second[0] + of_dense[0])
    high = np.fmin(first[1] + of_sparse[1], second[1] + of_dense[1])
    return low[0], high[0], (first[2] + second[2] + of_sparse[2] + of_dense[2])[0]


def _product(linear_map: LinearMap, lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (lower, upper, magnitude) of a map over an interval (1, size), not yet rounded outward."""
    middle, radius = middle_and_radius(lower, upper)
    value = linear_map.apply(middle)
    absolute = linear_map.apply_abs(np.concatenate([radius, np.abs(middle)]))
    return value - absolute[:1], value + absolute[:1], absolute[:1] + absolute[1:]


def _minus(first: LinearMap, second: LinearMap) -> LinearMap:
    """Return ``first - second``, with its structure where it keeps one."""
    negated = second.scale_rows(np.full(second.out_size, -1.0))
    difference = add_maps(first, negated)
    if difference is not None:
        return difference
    return Sparse(scipy_sparse.csr_array(first.to_csr() + negated.to_csr()))


def _check_pair(dense: Network, sparse: Network) -> None:
    if dense.input_size != sparse.input_size or dense.output != sparse.output or len(dense.nodes) != len(sparse.nodes):
        raise InputError(
            "differences need two networks with the same nodes, inputs and output; prune the dense network"
            " without reducing it"
        )
    for node, other in zip(dense.nodes, sparse.nodes, strict=True):
        same = type(node) is type(other) and node.name == other.name and node.inputs == other.inputs
        if not (same and node.size == other.size):
            raise InputError(
                f"node {node.name!r} of the dense network is paired with {other.name!r}, which has another kind, size"
                " or input; prune the dense network without reducing it"
            )
