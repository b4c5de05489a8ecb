r"""The network over a domain with its unstable neurons alone, each written over the inputs and the earlier ones.

A ReLU that is active all over the domain is the identity there, an inactive one is zero. Carrying the pre-activations
of the unstable neurons backward through both, until only inputs and unstable neurons are left, gives

.. math:: z_k = b_k + A_k x + \sum_{j < k} W_{kj} \max(0, z_j) \pm e_k

with dense matrices. A pass through them costs ``sum_k |z_k| (n + sum_j |z_j|)`` products, at the speed of matrix
products; where few neurons are unstable that is far less than all convolutions cost. e is the rounding of the matrices'
own entries, as `netopt.bounds.backward` adds it up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.backward import Backward, Rows
from netopt.bounds.propagation import Propagation
from netopt.network.dense import Dense
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Node, Relu


@dataclass(frozen=True, slots=True, eq=False)
class UnstableNetwork:
    """A network of unstable neurons.

    Attributes
    ----------
    network : its ReLUs keep the names of those they come from; those without an unstable neuron are gone.
    error : name of an Affine -> (size,), how far its value may be from that of the network it stands for.
    """

    network: Network
    error: Mapping[str, FloatArray]


def unstable_neurons(state: Propagation) -> dict[str, IntArray]:
    """Return the unstable neurons of every ReLU over the only input set of `state`: name -> their numbers."""
    return {
        relu.name: np.flatnonzero((state.lower[relu.input][0] < 0.0) & (state.upper[relu.input][0] > 0.0))
        for relu in state.network.relus
    }


def unstable_products(network: Network, neurons: Mapping[str, IntArray]) -> int:
    """Return the number of products of one pass through `unstable_network`, at most."""
    before, total = network.input_size, 0
    for some in neurons.values():
        total += some.size * before
        before += some.size
    return total + before * network.output_size


def unstable_network(state: Propagation, neurons: Mapping[str, IntArray]) -> UnstableNetwork:
    """Return the network of the unstable neurons of a domain.

    Parameters
    ----------
    state : bounds of all nodes over one input set.
    neurons : as `unstable_neurons` returns them.
    """
    writer = _Writer(state, neurons)
    nodes: list[Node] = []
    errors: dict[str, FloatArray] = {}
    for relu in state.network.relus:
        if neurons[relu.name].size:
            affine, error = writer.write(f"{relu.name}.unstable", relu.input, neurons[relu.name])
            nodes += [affine, Relu(relu.name, affine.name, affine.size)]
            errors[affine.name] = error
    output = state.network.output
    affine, error = writer.write(f"{output}.value", output, np.arange(state.network.output_size))
    errors[affine.name] = error
    return UnstableNetwork(state.network.with_nodes((*nodes, affine), affine.name), errors)


class _Writer(Backward):
    """Carries rows through stable ReLUs, and takes down what they are of the unstable ones."""

    def __init__(self, state: Propagation, neurons: Mapping[str, IntArray]) -> None:
        super().__init__(state, {})
        self._neurons = neurons
        self._active = {
            relu.name: (state.lower[relu.input][0] >= 0.0).astype(np.float64) for relu in state.network.relus
        }
        self._found: dict[str, FloatArray] = {}

    def write(self, name: str, target: str, wanted: IntArray) -> tuple[Affine, FloatArray]:
        """Return some entries of a node as an Affine of the inputs and the unstable neurons, and its errors."""
        size = self.state.lower[target].shape[1]
        blocks = []
        for first in range(0, wanted.size, self.block):
            some = wanted[first : first + self.block]
            unit = np.zeros((some.size, size))
            unit[np.arange(some.size), some] = 1.0
            blocks.append(self._written(Rows({target: unit}, np.zeros(some.size), np.zeros(some.size))))
        sources = [s for s in (INPUT, *self._neurons) if any(s in found for found, _ in blocks)]
        maps: list[LinearMap] = []
        for source in sources:
            width = self.state.lower[INPUT].shape[1] if source == INPUT else self._neurons[source].size
            rows = [found.get(source, np.zeros((rest.constant.size, width))) for found, rest in blocks]
            maps.append(Dense(np.concatenate(rows)))
        bias = np.concatenate([np.empty(0), *(rest.constant for _, rest in blocks)])
        error = np.concatenate([np.empty(0), *(rest.error for _, rest in blocks)])
        return Affine(name, tuple(sources), tuple(maps), bias), 2.0 * (error + self.state.underflow)

    def _written(self, rows: Rows) -> tuple[dict[str, FloatArray], Rows]:
        """Return the coefficients of the sources, and what is left of `rows`."""
        self._found = {}
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for node in reversed(self.state.network.nodes):
                if node.name in rows.coefficients:
                    self._step(node, rows)
        return self._found | rows.coefficients, rows

    def _through_relu(self, node: Relu, value: FloatArray, rows: Rows) -> None:
        neurons, active = self._neurons[node.name], self._active[node.name]
        if neurons.size:
            self._found[node.name] = value[:, neurons]
        if active.any():
            self._add(rows, node.input, value * active)
