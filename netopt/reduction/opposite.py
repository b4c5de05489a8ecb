r"""Pairs of opposite neurons written with one ReLU: :math:`\max(0, -z) = \max(0, z) - z`.

Networks that carry values through ReLU layers, or take minima, maxima and absolute values of them, have neurons with
the pre-activations z and -z. Where c and d are what a reader makes of the two,

.. math:: c \max(0, z) + d \max(0, -z) = (c + d) \max(0, z) - d z ,

and for d = -c no ReLU is left. Bounds are tighter then, because the lines of the two neurons were chosen apart, and
there is half as much or less to split. Pairs for which c + d is not exact in float64 are left alone, and so are ReLUs
that one reader reads through several maps, whose sum may round: the function is the same in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from netopt.arrays import BoolArray, IntArray, sparse
from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.convolution import Convolution
from netopt.network.linear_map import LinearMap
from netopt.network.network import Network
from netopt.network.nodes import Affine, Node, Relu
from netopt.network.sparse import Sparse
from netopt.reduction.maps import settled, take
from netopt.reduction.prepare import unused_name

#: Share of a ReLU's neurons that pairs have to make up, or else the terms added cost more than what is saved.
_SHARE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class WithoutOpposites:
    """A network in which opposite neurons share a ReLU.

    Attributes
    ----------
    network : the same function.
    kept : name of a Relu -> numbers of its neurons in the given network.
    opposite : name of a Relu -> the neuron with the opposite pre-activation of each of these, -1 for none.
    """

    network: Network
    kept: Mapping[str, IntArray]
    opposite: Mapping[str, IntArray]

    def bounds(self, of_given: PreactivationBounds) -> PreactivationBounds:
        """Return bounds of the given network as bounds of this one."""
        lower, upper = {}, {}
        for relu in self.network.relus:
            kept, other = self.kept[relu.name], self.opposite[relu.name]
            low, high = of_given.lower[relu.name], of_given.upper[relu.name]
            lower[relu.name] = np.where(other >= 0, np.maximum(low[kept], -high[other]), low[kept])
            upper[relu.name] = np.where(other >= 0, np.minimum(high[kept], -low[other]), high[kept])
        return replace(of_given, lower=lower, upper=upper, network_sha256=self.network.sha256)


def without_opposites(network: Network) -> WithoutOpposites:
    """Return a network in which opposite neurons share a ReLU; the given one where there are few of them.

    Examples
    --------
    >>> from netopt.network.build import from_weights
    >>> from netopt.reduction.opposite import without_opposites
    >>> network = from_weights([[[2.0], [-2.0]], [[1.0, -1.0]]], [[1.0, -1.0], [0.0]])  # relu(z) - relu(-z) = z
    >>> smaller = without_opposites(network).network
    >>> smaller.relu_count, smaller.forward([3.0]).tolist()
    (0, [7.0])
    """
    work = _Rewriting(network)
    for relu in network.relus:
        work.rewrite(relu)
    kept = {relu.name: work.kept.get(relu.name, np.arange(relu.size)) for relu in network.relus}
    opposite = {name: work.opposite.get(name, np.full(some.size, -1)) for name, some in kept.items()}
    if not work.kept:
        return WithoutOpposites(network, kept, opposite)
    return WithoutOpposites(network.with_nodes(work.in_order()), kept, opposite)


class _Rewriting:
    """The nodes while they are rewritten, each in the place of those it comes from."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._nodes: dict[str, list[Node]] = {node.name: [node] for node in network.nodes}
        self._readers: dict[str, list[str]] = {}
        for node in network.nodes:
            for source in node.inputs:
                self._readers.setdefault(source, []).append(node.name)
        self.kept: dict[str, IntArray] = {}
        self.opposite: dict[str, IntArray] = {}

    def in_order(self) -> tuple[Node, ...]:
        """Return all nodes."""
        return tuple(node for nodes in self._nodes.values() for node in nodes)

    def rewrite(self, relu: Relu) -> None:
        """Write a ReLU's pairs with one ReLU each."""
        if not self._suits(relu):
            return
        affine = self._affines(relu.input)[-1]
        first, second = _opposite_rows(self._affines(relu.input)[0])
        if 2 * first.size < _SHARE * relu.size or not first.size:
            return
        readers = [(name, self._columns(name, relu.name)) for name in self._readers[relu.name]]
        exact = np.logical_and.reduce([_exact_sums(columns, first, second) for _, columns in readers])
        first, second = first[exact], second[exact]
        if 2 * first.size < _SHARE * relu.size or not first.size:
            return
        gone = np.logical_and.reduce([_cancels(columns, first, second) for _, columns in readers])
        dropped = np.zeros(relu.size, dtype=bool)
        dropped[second] = dropped[first[gone]] = True
        kept, linear = np.flatnonzero(~dropped), np.sort(first[gone])
        partner = np.full(relu.size, -1)
        partner[first] = second
        used = {node.name for node in self.in_order()}
        parts = [(relu.input, kept), (unused_name(f"{relu.input}.linear", used), linear)]
        self._nodes[relu.input] = [_rows_of(affine, name, rows) for name, rows in parts if rows.size]
        self._nodes[relu.name] = [replace(relu, size=kept.size)] if kept.size else []
        for name, columns in readers:
            terms = [(relu.name, _merged(columns, kept, partner))] if kept.size else []
            terms += [(source, _negated(columns, partner[rows])) for source, rows in parts if rows.size]
            self._replace_term(name, relu.name, terms)
        self.kept[relu.name], self.opposite[relu.name] = kept, partner[kept]

    def _suits(self, relu: Relu) -> bool:
        """Return whether nothing but matrices is around a ReLU, one to each reader, and only it reads its input."""
        readers = self._readers.get(relu.name, [])
        around = [relu.input, *readers]
        once = len(set(readers)) == len(readers)
        alone = self._readers[relu.input] == [relu.name] and self._network.output not in (relu.name, relu.input)
        return (
            alone
            and once
            and all(
                isinstance(node, Affine) and not any(isinstance(m, Convolution) for m in node.maps)
                for name in around
                for node in self._nodes[name]
            )
        )

    def _affines(self, name: str) -> list[Affine]:
        return [node for node in self._nodes[name] if isinstance(node, Affine)]

    def _columns(self, reader: str, relu: str) -> sparse.csc_array:
        """Return what a node, not rewritten itself so far, makes of a ReLU's neurons."""
        (node,) = self._affines(reader)
        return sparse.csc_array(node.maps[node.inputs.index(relu)].to_csr())

    def _replace_term(self, reader: str, relu: str, terms: list[tuple[str, LinearMap]]) -> None:
        (node,) = self._affines(reader)
        others = [(s, m) for s, m in zip(node.inputs, node.maps, strict=True) if s != relu]
        inputs, maps = zip(*(others + terms), strict=True)
        self._nodes[reader] = [replace(node, inputs=inputs, maps=maps)]


def _opposite_rows(affine: Affine) -> tuple[IntArray, IntArray]:
    """Return pairs of entries of an Affine that are the opposite of each other: their numbers, the smaller ones first.

    A random product tells where to look; pairs are compared weight by weight.
    """
    generator = np.random.default_rng(0)
    key = affine.bias * generator.uniform(1.0, 2.0)
    for linear_map in affine.maps:
        key = key + linear_map.apply(generator.uniform(1.0, 2.0, (1, linear_map.in_size)))[0]
    order = np.argsort(np.abs(key), kind="stable")
    before, after = order[:-1], order[1:]
    likely = (np.abs(key[before] + key[after]) <= 1e-9 * np.abs(key[before])) & (key[before] != 0.0)
    where = np.flatnonzero(likely)
    if not where.size:
        return where, where  # most networks: no need of sparse matrices
    before, after = before[where], after[where]
    same = affine.bias[before] == -affine.bias[after]
    for matrix in (linear_map.to_csr() for linear_map in affine.maps):
        difference = sparse.csr_array(matrix[before] + matrix[after])
        difference.eliminate_zeros()
        same &= np.diff(difference.indptr) == 0
    where, before, after = where[same], before[same], after[same]
    # In a run of neighbours that match, every other one begins a pair.
    begins = np.concatenate([[True], np.diff(where) > 1])[: where.size]
    position = np.arange(where.size)
    chosen = (position - np.maximum.accumulate(np.where(begins, position, 0))) % 2 == 0
    before, after = before[chosen], after[chosen]
    return np.minimum(before, after), np.maximum(before, after)


def _exact_sums(columns: sparse.csc_array, first: IntArray, second: IntArray) -> BoolArray:
    """Return for which pairs of columns the sum is exact (Knuth's two-sum has no remainder)."""
    a, b = columns[:, first], columns[:, second]
    total = a + b
    share = total - a
    return _empty_columns((a - (total - share)) + (b - share))


def _cancels(columns: sparse.csc_array, first: IntArray, second: IntArray) -> BoolArray:
    return _empty_columns(columns[:, first] + columns[:, second])


def _empty_columns(matrix: sparse.csc_array) -> BoolArray:
    """Return which columns hold zeros alone."""
    matrix = sparse.csc_array(matrix)
    matrix.eliminate_zeros()
    empty: BoolArray = np.diff(matrix.indptr) == 0
    return empty


def _rows_of(affine: Affine, name: str, rows: IntArray) -> Affine:
    return Affine(name, affine.inputs, tuple(settled(take(m, rows, None)) for m in affine.maps), affine.bias[rows])


def _merged(columns: sparse.csc_array, kept: IntArray, partner: IntArray) -> LinearMap:
    """Return ``c + d`` for the neurons kept that have a partner, c for the others."""
    return _as_map(columns[:, kept] + _some(columns, partner[kept]))


def _negated(columns: sparse.csc_array, partner: IntArray) -> LinearMap:
    """Return ``-d``, zero for neurons without a partner."""
    return _as_map(-_some(columns, partner))


def _some(columns: sparse.csc_array, which: IntArray) -> sparse.csc_array:
    """Return some columns, zeros where the number is negative."""
    chosen = sparse.csr_array(
        (np.ones(int((which >= 0).sum())), (which[which >= 0], np.flatnonzero(which >= 0))),
        shape=(columns.shape[1], which.size),
    )
    return sparse.csc_array(columns @ chosen)


def _as_map(matrix: sparse.csc_array) -> LinearMap:
    rows = sparse.csr_array(matrix)
    rows.eliminate_zeros()
    rows.sort_indices()
    return settled(Sparse(rows))
