"""The constraint graph of a network: its neurons, and who reads whom, as one sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netopt.arrays import IntArray, sparse
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True, eq=False)
class NeuronGraph:
    """The neurons of a network in topological order, group by group.

    A group is the input, a Relu, or an Affine with a value of its own: the output, or one that another Affine reads.

    Attributes
    ----------
    names : the groups, `INPUT` first.
    start : (groups + 1,) where each group begins among the N vertices.
    weights : (N, N) CSR; row v holds the weights with which vertex v reads others. A Relu that reads a group has ones.
    """

    names: tuple[str, ...]
    start: IntArray
    weights: sparse.csr_array

    @classmethod
    def of(cls, network: Network, *, every_affine: bool = False) -> NeuronGraph:
        """Return the graph of `network`, convolutions written out; `every_affine` makes each Affine a group."""
        own = {source for node in network.affines for source in node.inputs} | {network.output}
        if every_affine:
            own |= {node.name for node in network.affines}
        groups = [node for node in network.nodes if isinstance(node, Relu) or node.name in own]
        names = (INPUT, *(node.name for node in groups))
        start = np.cumsum([0, network.input_size, *(node.size for node in groups)])
        first = dict(zip(names, start.tolist(), strict=False))
        rows, columns, values = [], [], []
        for node in groups:
            for source, matrix in _read(network, node, own):
                found = matrix.tocoo()
                rows.append(found.row.astype(np.int64) + first[node.name])
                columns.append(found.col.astype(np.int64) + first[source])
                values.append(found.data)
        count = int(start[-1])
        places = (np.concatenate(rows), np.concatenate(columns))
        entries = sparse.coo_array((np.concatenate(values), places), shape=(count, count))
        return cls(names, start, sparse.csr_array(entries))

    def group(self, name: str) -> slice:
        """Return the vertices of a group."""
        k = self.names.index(name)
        return slice(int(self.start[k]), int(self.start[k + 1]))

    def to_networkx(self, network: Network) -> nx.DiGraph[tuple[str, int]]:
        """Return the graph with vertices ``(group, index)``, their ``kind``, and edges with their ``weight``."""
        import networkx as nx

        sizes = dict(zip(self.names, np.diff(self.start).tolist(), strict=True))
        labels = [(name, k) for name, size in sizes.items() for k in range(size)]
        graph: nx.DiGraph[tuple[str, int]] = nx.DiGraph()
        kinds = {name: "input" if name == INPUT else type(network[name]).__name__.lower() for name in self.names}
        graph.add_nodes_from((label, {"kind": kinds[label[0]]}) for label in labels)
        entries = self.weights.tocoo()
        edges = zip(entries.col.tolist(), entries.row.tolist(), entries.data.tolist(), strict=True)
        graph.add_weighted_edges_from((labels[source], labels[target], weight) for source, target, weight in edges)
        return graph


def _read(network: Network, node: Affine | Relu, own: set[str]) -> list[tuple[str, sparse.csr_array]]:
    """Return what a group reads: (group, matrix) pairs."""
    if isinstance(node, Relu) and node.input in own:
        return [(node.input, sparse.csr_array(sparse.eye_array(node.size)))]
    affine = network[node.input] if isinstance(node, Relu) else node
    assert isinstance(affine, Affine)
    return [(source, m.to_csr()) for source, m in zip(affine.inputs, affine.maps, strict=True)]
