"""The trained network as everything downstream sees it: a directed acyclic graph of Affine and ReLU nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from netopt.arrays import FloatArray
from netopt.checks import as_numbers
from netopt.errors import InputError
from netopt.network.nodes import Affine, Node, Relu

if TYPE_CHECKING:
    import networkx as nx

#: Name of the input in `Affine.inputs`.
INPUT = "input"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape (as the file has it, unknown axes 1) and dtype of a file's input or output tensor."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Network:
    """A feed-forward ReLU network with vectors as input and output (tensors flattened row-major, several concatenated).

    Attributes
    ----------
    nodes : all nodes in a topological order. Every Relu reads an Affine.
    output : name of the Affine (or Relu) whose value is the network's output.
    inputs, outputs : the tensors the vectors stand for, in order.
    source : the file the network was read from, for replay in onnxruntime; None for one made in memory.
    sha256 : digest of the file's (decompressed) bytes, or of the weights for one made in memory.
    dropped_output : "softmax" or "log-softmax" where a trailing one was left out, else None.
    """

    nodes: tuple[Node, ...]
    output: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    source: Path | None = None
    source_sha256: str | None = None
    dropped_output: str | None = None
    _by_name: Mapping[str, Node] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_name: dict[str, Node] = {}
        for node in self.nodes:
            _check_node(node, by_name, self.input_size)
            by_name[node.name] = node
        if self.output not in by_name:
            raise InputError(f"the network's output {self.output!r} is not one of its nodes")
        object.__setattr__(self, "_by_name", MappingProxyType(by_name))

    def __reduce__(self) -> tuple[Any, ...]:  # a mapping proxy cannot be pickled
        return Network, tuple(getattr(self, item.name) for item in fields(self) if item.init)

    def __getitem__(self, name: str) -> Node:
        """Return the node called `name`."""
        return self._by_name[name]

    @property
    def input_size(self) -> int:
        """Length n of the input vector."""
        return sum(spec.size for spec in self.inputs)

    @property
    def output_size(self) -> int:
        """Length m of the output vector."""
        return self._by_name[self.output].size

    @property
    def relus(self) -> tuple[Relu, ...]:
        """The ReLU nodes in topological order."""
        return tuple(node for node in self.nodes if isinstance(node, Relu))

    @property
    def relu_columns(self) -> dict[str, slice]:
        """Where the neurons of each Relu stand when those of all are side by side: name -> slice."""
        ends = np.cumsum([0, *(relu.size for relu in self.relus)]).tolist()
        return {relu.name: slice(ends[k], ends[k + 1]) for k, relu in enumerate(self.relus)}

    @property
    def affines(self) -> tuple[Affine, ...]:
        """The Affine nodes in topological order."""
        return tuple(node for node in self.nodes if isinstance(node, Affine))

    @property
    def relu_count(self) -> int:
        """Number of ReLU neurons."""
        return sum(relu.size for relu in self.relus)

    @property
    def parameters(self) -> int:
        """Number of stored weights and biases."""
        return sum(sum(m.parameters for m in node.maps) + node.size for node in self.affines)

    @cached_property
    def sha256(self) -> str:
        """Digest that names the network in results."""
        if self.source_sha256 is not None:
            return self.source_sha256
        digest = hashlib.sha256()
        for node in self.nodes:
            digest.update(repr((type(node).__name__, node.name, node.inputs)).encode())
            if isinstance(node, Affine):
                digest.update(node.bias.tobytes())
                for linear_map in node.maps:
                    digest.update(repr((type(linear_map).__name__, linear_map.out_size, linear_map.in_size)).encode())
                    for part in linear_map.digest_arrays():
                        digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()

    @cached_property
    def graph(self) -> nx.DiGraph[str]:
        """The layer graph: node names (and `INPUT`), each with its size and kind."""
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node(INPUT, size=self.input_size, kind="input")
        for node in self.nodes:
            graph.add_node(node.name, size=node.size, kind=type(node).__name__.lower())
            graph.add_edges_from((source, node.name) for source in node.inputs)
        return graph

    def constraint_graph(self) -> nx.DiGraph[tuple[str, int]]:
        """Return the graph of the neurons: vertices ``(group, index)``, an edge for every weight that is not zero.

        Groups are the input, every Relu, the output, and every Affine that another Affine reads. Made on demand, for
        analysis and plots; `netopt.network.neuron_graph` has it as a sparse matrix.

        Examples
        --------
        >>> from netopt.network.build import from_weights
        >>> network = from_weights([[[1.0], [0.0]], [[1.0, 1.0]]], [[0.0, 2.0], [0.0]])
        >>> list(network.constraint_graph().predecessors(("layer1.relu", 0)))
        [('input', 0)]
        >>> network.constraint_graph().in_degree(("layer1.relu", 1))
        0
        """
        from netopt.network.neuron_graph import NeuronGraph

        return NeuronGraph.of(self).to_networkx(self)

    def forward(self, x: ArrayLike) -> FloatArray:
        """Return the output at one point (n,) or a batch (batch, n), in float64: (m,) or (batch, m).

        Raises
        ------
        InputError
            The last axis of `x` is not the network's input size.
        """
        batch, single = self._as_batch(x)
        value = np.empty(0)
        for name, value in self._values(batch):  # noqa: B007 - the loop keeps only what later nodes read
            if name == self.output:
                break
        return value[0] if single else value

    def preactivations(self, x: ArrayLike) -> dict[str, FloatArray]:
        """Return the pre-activations of every Relu at a batch (batch, n): name of the Relu -> (batch, size)."""
        batch, _ = self._as_batch(x)
        readers: dict[str, list[str]] = {}
        for relu in self.relus:
            readers.setdefault(relu.input, []).append(relu.name)
        return {reader: value for name, value in self._values(batch) for reader in readers.get(name, ())}

    def with_nodes(self, nodes: tuple[Node, ...], output: str | None = None) -> Network:
        """Return a network made in memory with other nodes and the same inputs and outputs."""
        return replace(
            self, nodes=nodes, output=self.output if output is None else output, source=None, source_sha256=None
        )

    def _as_batch(self, x: ArrayLike) -> tuple[FloatArray, bool]:
        array = as_numbers(x, "the inputs")
        if array.ndim not in (1, 2) or array.shape[-1] != self.input_size:
            raise InputError(
                f"the network takes {self.input_size} inputs, an array of shape {array.shape} was given;"
                " pass (n,) or (batch, n)"
            )
        return np.atleast_2d(array), array.ndim == 1

    def _values(self, x: FloatArray) -> Iterator[tuple[str, FloatArray]]:
        """Yield every node's value in order, forgetting each once its last reader has run."""
        last_reader = {source: node.name for node in self.nodes for source in node.inputs}
        values: dict[str, FloatArray] = {INPUT: x}
        for node in self.nodes:
            value = node.value(values, x.shape[0])
            values[node.name] = value
            yield node.name, value
            for source in node.inputs:
                if last_reader.get(source) == node.name:
                    values.pop(source, None)


def _check_node(node: Node, before: Mapping[str, Node], input_size: int) -> None:
    if node.name in before or node.name == INPUT:
        raise InputError(f"two nodes of the network are called {node.name!r}")
    sizes = [
        input_size if source == INPUT else before[source].size for source in node.inputs if _known(source, before, node)
    ]
    if isinstance(node, Relu):
        if node.input == INPUT or not isinstance(before[node.input], Affine):
            raise InputError(f"ReLU node {node.name!r} must read an Affine node, not {node.input!r}")
        found = [(sizes[0], node.size)]
    else:
        if len(node.maps) != len(node.inputs):
            raise InputError(f"node {node.name!r} has {len(node.inputs)} inputs and {len(node.maps)} maps")
        found = [(m.in_size, size) for m, size in zip(node.maps, sizes, strict=True)]
        found += [(m.out_size, node.size) for m in node.maps]
    for has, needs in found:
        if has != needs:
            raise InputError(f"node {node.name!r} joins a vector of {needs} to a map of {has}")


def _known(source: str, before: Mapping[str, Node], node: Node) -> bool:
    if source != INPUT and source not in before:
        raise InputError(f"node {node.name!r} reads {source!r}, which does not come before it")
    return True
