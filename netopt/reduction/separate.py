r"""A linear objective split into independent problems.

The output layer is linear, so ``w y`` is a sum over the neurons it reads. Over a box, where inputs are free of each
other, neurons that share no input and no neuron can be maximised apart:

.. math:: \max_x w\,y(x) = c_0 + \sum_k \max_{x_k} f_k(x_k).

Bounds add up as well: the sum of dual bounds of the parts is a dual bound of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.inputs import as_inputs
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import propagate
from netopt.errors import InputError
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.neuron_graph import NeuronGraph
from netopt.network.nodes import Affine, Node, Relu
from netopt.network.sparse import Sparse
from netopt.reduction.maps import settled
from netopt.reduction.prepare import prepare, unused_name
from netopt.specification.box import Box
from netopt.specification.domain import Domain


@dataclass(frozen=True, slots=True, eq=False)
class SeparatePart:
    """One independent problem: maximise the only output of `network` over `domain`.

    Attributes
    ----------
    inputs : numbers of its inputs in the whole network.
    bounds : of `network` over `domain`.
    """

    network: Network
    domain: Domain
    bounds: PreactivationBounds
    inputs: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """An objective as ``constant`` plus the sum of the parts' outputs.

    Attributes
    ----------
    parts : largest first; empty when no ReLU matters.
    constant : what inputs that no ReLU reads contribute at their best, and the biases.
    point : (n,) a member of the domain where those inputs are at their best.
    """

    parts: tuple[SeparatePart, ...]
    constant: float
    point: FloatArray

    def join(self, points: Sequence[FloatArray]) -> FloatArray:
        """Return the point (n,) of the whole that has the parts' inputs, one vector a part."""
        whole = self.point.copy()
        for part, point in zip(self.parts, points, strict=True):
            whole[part.inputs] = point
        return whole


def separate(network: Network, domain: Domain, weights: FloatArray, bounds: PreactivationBounds) -> Separation:
    """Split ``maximise weights @ y`` into independent problems.

    Anything but a `Box` ties inputs to each other: then there is one part, the whole.

    Parameters
    ----------
    network : best reduced before, so that no zero weights join what is apart.
    weights : (m,).
    bounds : of `network` over `domain`.

    Raises
    ------
    InputError
        Shapes do not fit, or the bounds belong to another network.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.compute import compute_bounds
    >>> from netopt.network.build import from_weights
    >>> from netopt.reduction.separate import separate
    >>> from netopt.specification.box import Box
    >>> network = from_weights([np.eye(2), [[1.0, -3.0]]], [[0.0, 0.0], [0.5]])
    >>> box = Box(-np.ones(2), np.ones(2))
    >>> separation = separate(network, box, np.ones(1), compute_bounds(network, box))
    >>> len(separation.parts), separation.constant
    (2, 0.5)
    """
    bounds.require(network)
    row = np.asarray(weights, dtype=np.float64)
    if row.shape != (network.output_size,) or domain.dimension != network.input_size:
        raise InputError(
            f"the network has {network.input_size} inputs and {network.output_size} outputs; a domain of"
            f" {domain.dimension} inputs and weights of shape {row.shape} were given"
        )
    whole, constant = _with_objective(network, row)
    if type(domain) is not Box:
        part = SeparatePart(whole, domain, _bounds(whole, domain, bounds, None), np.arange(network.input_size))
        return Separation((part,), constant, domain.center)
    labels, numbers = _labels(whole)
    direct = _direct_terms(whole)
    linear = ~np.isin(labels[INPUT], numbers)
    point = np.where(linear, domain.maximizer(direct[None])[0], domain.center)
    if not numbers.size:  # nothing but linear terms and constants
        return Separation((), constant + float(whole.forward(point)[0]), point)
    constant += float((direct * point)[linear].sum())
    parts = [_part(whole, domain, bounds, labels, int(k)) for k in numbers]
    parts.sort(key=lambda part: -part.network.relu_count)
    return Separation(tuple(parts), constant, point)


def _with_objective(network: Network, row: FloatArray) -> tuple[Network, float]:
    """Return the network whose only output is ``row @ y`` less a constant, and the constant; dead nodes left out."""
    prepared = prepare(network)
    output = prepared[prepared.output]
    assert isinstance(output, Affine)
    maps = tuple(Sparse(sparse.csr_array(m.apply_transpose(row[None]))) for m in output.maps)
    name = unused_name("objective", {node.name for node in prepared.nodes})
    nodes: list[Node] = [Affine(name, output.inputs, maps, np.zeros(1))]
    wanted = set(output.inputs)
    for node in reversed(prepared.nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
            nodes.append(node)
    whole = Network(tuple(nodes[::-1]), name, network.inputs, (TensorSpec("Y", (1, 1)),))
    return whole, float(row @ output.bias)


def _labels(whole: Network) -> tuple[dict[str, IntArray], IntArray]:
    """Return every value's component, and the components with neurons that an input reaches and the objective sees."""
    graph = NeuronGraph.of(whole, every_affine=True)
    last = graph.group(whole.output).start  # the objective is the last vertex, and joins nothing
    _, label = csgraph.connected_components(graph.weights[:last, :last], directed=False)
    labels = {name: label[graph.group(name)].astype(np.int64) for name in graph.names if name != whole.output}
    hidden = [labels[name] for name in labels if name != INPUT]
    reached = np.intersect1d(np.concatenate([np.empty(0, dtype=np.int64), *hidden]), labels[INPUT])
    numbers = np.intersect1d(reached, label[graph.weights[[last]].indices])
    if numbers.size:  # neurons that no input reaches are constants: they go with any part
        for name in labels.keys() - {INPUT}:
            labels[name] = np.where(np.isin(labels[name], reached), labels[name], numbers[0])
    return labels, numbers


def _direct_terms(whole: Network) -> FloatArray:
    """Return the objective's coefficients of the inputs it reads itself, (n,)."""
    objective = whole[whole.output]
    assert isinstance(objective, Affine)
    total = np.zeros(whole.input_size)
    for source, linear_map in zip(objective.inputs, objective.maps, strict=True):
        if source == INPUT:
            total += linear_map.rows(np.zeros(1, dtype=np.int64))[0]
    return total


def _part(
    whole: Network, domain: Box, bounds: PreactivationBounds, labels: dict[str, IntArray], k: int
) -> SeparatePart:
    chosen = {name: label == k for name, label in labels.items()}
    chosen[whole.output] = np.ones(1, dtype=bool)
    inputs = np.flatnonzero(chosen[INPUT])
    nodes: list[Node] = []
    for node in whole.nodes:
        size = int(chosen[node.name].sum())
        if not size:
            continue
        if isinstance(node, Relu):
            nodes.append(Relu(node.name, node.input, size))
        else:
            nodes.append(_restricted(node, chosen, inputs.size))
    network = Network(tuple(nodes), whole.output, (TensorSpec("X", (1, inputs.size)),), whole.outputs)
    box = Box(domain.low[inputs], domain.high[inputs])
    return SeparatePart(network, box, _bounds(network, box, bounds, chosen), inputs)


def _restricted(node: Affine, chosen: dict[str, BoolArray], inputs: int) -> Affine:
    rows = np.flatnonzero(chosen[node.name])
    terms: list[tuple[str, LinearMap]] = []
    for source, linear_map in zip(node.inputs, node.maps, strict=True):
        columns = np.flatnonzero(chosen[source])
        if columns.size:
            terms.append((source, settled(Sparse(linear_map.to_csr(rows)[:, columns]))))
    if not terms:
        terms = [(INPUT, Sparse(sparse.csr_array((rows.size, inputs))))]
    sources, maps = zip(*terms, strict=True)
    return Affine(node.name, sources, maps, node.bias[rows])


def _bounds(
    network: Network, domain: Domain, bounds: PreactivationBounds, chosen: dict[str, BoolArray] | None
) -> PreactivationBounds:
    """Return the bounds of a part: those of its neurons as they are, and of its output by an interval."""
    lower, upper = (
        {r.name: side[r.name] if chosen is None else side[r.name][chosen[r.name]] for r in network.relus}
        for side in (bounds.lower, bounds.upper)
    )
    known = {name: (lower[name], upper[name]) for name in lower}
    state = propagate(network, as_inputs(network, domain), known)
    return PreactivationBounds(
        lower=lower,
        upper=upper,
        output_lower=state.lower[network.output][0],
        output_upper=state.upper[network.output][0],
        level=bounds.level,
        network_sha256=network.sha256,
    )
