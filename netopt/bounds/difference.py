r"""Sound bounds of the difference of a dense network f and a sparse one g, their neurons paired.

Bounding f and g apart says of ``f - g`` at best what it says of f, plus the same of g. Paired neuron by neuron, what
both have in common cancels: the bounds grow with the weights that were removed, not with the networks.
Layer by layer the difference ``d = a - b`` of the pre-activations is bounded by interval arithmetic, then by carrying
the row ``a - b`` backward through both networks at once; from the bounds of a, b and d come the planes of the next
pair of ReLUs.

Paulsen, Wang, Wang, *ReluDiff: differential verification of deep neural networks* (ICSE 2020) and *NeuroDiff*
(ASE 2020) introduced the pairing; the planes here are the concave envelope over the hexagon of (a, b).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.backward import Rows, UpperFunctions
from netopt.bounds.crown import crown_bounds
from netopt.bounds.difference_backward import PairedBackward
from netopt.bounds.difference_planes import Hexagons, Planes, planes_above, planes_below
from netopt.bounds.difference_twin import Interval, Twin, dense_name, sparse_name
from netopt.bounds.inputs import as_inputs
from netopt.bounds.preactivation import PreactivationBounds, check_bounds
from netopt.bounds.propagation import Propagation
from netopt.bounds.relaxation import Relaxation, relax
from netopt.bounds.rounding import gamma, sound_upper
from netopt.bounds.rows import RowMatrix, check_rows
from netopt.errors import InvalidOptionError
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.specification.domain import Domain


@dataclass(frozen=True, slots=True, eq=False)
class SparseFunctions:
    """Functions of the sparse network's neurons and the inputs that lie above rows over the dense network's output.

    ``row <= sum_v coefficients[v] @ v + constant`` for every x of the domain, v the sparse network's value at x.

    Attributes
    ----------
    coefficients : name of a Relu of the sparse network, or `INPUT` -> (r, size).
    constant : (r,).
    """

    coefficients: dict[str, FloatArray]
    constant: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class DifferenceBounds:
    """What is known of f - g over a domain.

    Attributes
    ----------
    lower, upper : name of a Relu -> (size,) bounds of the difference of its pre-activations.
    output_lower, output_upper : (m,) bounds of f - g.
    level : ``"interval"`` or ``"crown"``, how far the deadline let the layers be bounded.
    """

    twin: Twin
    lower: dict[str, FloatArray]
    upper: dict[str, FloatArray]
    output_lower: FloatArray
    output_upper: FloatArray
    level: str
    _state: Propagation
    _relaxations: dict[str, Relaxation]
    _planes: dict[str, tuple[Planes, Planes]]

    def upper_functions(self, rows: FloatArray) -> UpperFunctions:
        """Return linear functions ``coefficients @ x + constant`` above ``rows @ (f(x) - g(x))``, and their maxima.

        Parameters
        ----------
        rows : (r, m).

        Returns
        -------
        They hold in exact arithmetic and for what both forward passes compute. `bound` also uses the output's bounds.

        Raises
        ------
        InputError
            The rows do not fit the output.
        """
        dense, output = self.twin.dense, self.twin.dense.output
        matrix, _ = check_rows(dense, rows, None)
        backward = self._backward(keep=False)
        parts = [
            backward.run(_start({dense_name(output): matrix[block], sparse_name(output): -matrix[block]}))
            for block in _blocks(matrix.shape[0], backward.block)
        ]
        return UpperFunctions(
            coefficients=np.concatenate([np.empty((0, dense.input_size)), *(part.coefficients for part in parts)]),
            constant=np.concatenate([np.empty(0), *(part.constant for part in parts)]),
            bound=np.concatenate([np.empty(0), *(part.bound for part in parts)]),
        )

    def sparse_functions(self, rows: FloatArray, input_rows: RowMatrix | None = None) -> SparseFunctions:
        """Return functions of the *sparse* network's neurons above ``rows @ f(x) + input_rows @ x``.

        Only the differences of the ReLUs are relaxed: the sparse network's own neurons stay, and a model that holds
        them exactly pays for what pruning removed and nothing else.

        Parameters
        ----------
        rows : (r, m).
        input_rows : (r, n) dense or CSR, None for no input part.

        Raises
        ------
        InputError
            The rows do not fit the output or the input.
        """
        matrix, inputs = check_rows(self.twin.dense, rows, input_rows)
        backward = self._backward(keep=True)
        parts = [
            self._kept(backward, matrix[block], None if inputs is None else inputs[block])
            for block in _blocks(matrix.shape[0], backward.block)
        ]
        names = sorted({name for part in parts for name in part.coefficients})
        return SparseFunctions(
            {name: np.concatenate([part.coefficients[name] for part in parts]) for name in names},
            np.concatenate([np.empty(0), *(part.constant for part in parts)]),
        )

    def _kept(self, backward: PairedBackward, matrix: FloatArray, inputs: RowMatrix | None) -> SparseFunctions:
        coefficients = {dense_name(self.twin.dense.output): matrix}
        if inputs is not None:
            coefficients[INPUT] = np.array(inputs if isinstance(inputs, np.ndarray) else inputs.toarray())
        rows = _start(coefficients)
        functions = backward.run(rows)
        kept = {INPUT: functions.coefficients}
        kept |= {r.name: rows.coefficients[sparse_name(r.name)] for r in self.twin.sparse.relus}
        constant = functions.constant
        with np.errstate(over="ignore", invalid="ignore"):
            # What a forward pass over these functions rounds, so that they lie above in float64 as well.
            size = np.abs(constant)
            for name, value in kept.items():
                size = size + np.abs(value) @ self._state.reach(sparse_name(name))[0]
            terms = sum(value.shape[1] for value in kept.values()) + 8
            return SparseFunctions(kept, sound_upper(constant + 4.0 * gamma(terms) * size))

    def _backward(self, *, keep: bool) -> PairedBackward:
        return PairedBackward(self.twin, self._state, self._relaxations, self._planes, keep=keep)


def difference_bounds(
    dense: Network,
    sparse: Network,
    domain: Domain,
    dense_bounds: PreactivationBounds | None = None,
    sparse_bounds: PreactivationBounds | None = None,
    *,
    level: str = "crown",
    deadline: float | None = None,
) -> DifferenceBounds:
    """Return bounds of ``f - g`` and of the difference of every pair of neurons over a domain.

    Parameters
    ----------
    dense, sparse : f and g: the same nodes in the same order, other weights and biases. Prune, but do not reduce.
    dense_bounds, sparse_bounds : pre-activation bounds of each over the domain; None computes CROWN bounds.
    level : ``"crown"``, or ``"interval"`` for a single sweep.
    deadline : value of `time.monotonic` after which the remaining layers keep their interval bounds.

    Raises
    ------
    InvalidOptionError
        The level is unknown.
    InputError
        The networks are not paired, the bounds belong to others, or the domain does not fit or is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.difference import difference_bounds
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> dense = from_weights([[[1.0, 0.1]], [[2.0]]], [[0.0], [0.0]])
    >>> sparse = from_weights([[[1.0, 0.0]], [[2.0]]], [[0.0], [0.0]])
    >>> bounds = difference_bounds(dense, sparse, Box(-np.ones(2), np.ones(2)))
    >>> bounds.output_lower.round(6).tolist(), bounds.output_upper.round(6).tolist()
    ([-0.2], [0.2])
    """
    if level not in ("interval", "crown"):
        raise InvalidOptionError(f"unknown level {level!r} of difference bounds; choose 'interval' or 'crown'")
    twin = Twin(dense, sparse)
    found: dict[str, Interval] = {}
    for network, given, name in ((dense, dense_bounds, dense_name), (sparse, sparse_bounds, sparse_name)):
        bounds = crown_bounds(network, domain, deadline=deadline) if given is None else given
        check_bounds(bounds, network)
        found |= {name(relu.name): (bounds.lower[relu.name], bounds.upper[relu.name]) for relu in network.relus}
    return _Sweep(twin, domain, found, level, deadline).run()


class _Sweep:
    """Bounds the pairs once, in topological order."""

    def __init__(
        self, twin: Twin, domain: Domain, known: dict[str, Interval], level: str, deadline: float | None
    ) -> None:
        self.twin = twin
        self.known = known
        self.level = level
        self.deadline = deadline
        self.state = Propagation(twin.network, as_inputs(twin.dense, domain))
        self.differences: dict[str, Interval] = {}
        self.relaxations: dict[str, Relaxation] = {}
        self.planes: dict[str, tuple[Planes, Planes]] = {}
        self.backward = PairedBackward(twin, self.state, self.relaxations, self.planes)

    def run(self) -> DifferenceBounds:
        readers: dict[str, list[str]] = {}
        for relu in self.twin.dense.relus:
            readers.setdefault(relu.input, []).append(relu.name)
        for node in self.twin.dense.nodes:
            if isinstance(node, Relu):
                self._relu(node)
            else:
                self._affine(node, readers.get(node.name, []))
        relus = self.twin.dense.relus
        output = self.differences[self.twin.dense.output]
        return DifferenceBounds(
            twin=self.twin,
            lower={relu.name: self.differences[relu.input][0] for relu in relus},
            upper={relu.name: self.differences[relu.input][1] for relu in relus},
            output_lower=output[0],
            output_upper=output[1],
            level=self.level,
            _state=self.state,
            _relaxations=self.relaxations,
            _planes=self.planes,
        )

    def _affine(self, node: Affine, readers: list[str]) -> None:
        for name in (dense_name, sparse_name):
            affine = self.state.network[name(node.name)]
            assert isinstance(affine, Affine)
            self.state.affine(affine)
            for reader in readers:
                self.state.tighten(affine.name, *self.known[name(reader)])
        self.differences[node.name] = self.twin.affine_difference(node.name, self.state, self.differences)
        pairs = self._hexagons(node.name)
        self.differences[node.name] = pairs.lower_d, pairs.upper_d
        output = node.name == self.twin.dense.output
        if self.level == "interval" or not (readers or output) or set(node.inputs) == {INPUT}:
            return  # the interval bounds of a difference of the inputs alone are exact
        self._carry(node, np.arange(node.size) if output else np.flatnonzero(pairs.curved))

    def _carry(self, node: Affine, neurons: IntArray) -> None:
        """Tighten the differences of some neurons of an Affine by rows carried backward."""
        lower, upper = (side.copy() for side in self.differences[node.name])
        self.differences[node.name] = lower, upper
        for block in _blocks(neurons.size, max(self.backward.block // 2, 1)):
            if self.deadline is not None and time.monotonic() > self.deadline:
                self.level = "interval"
                return
            chosen = neurons[block]
            rows = np.zeros((2 * chosen.size, node.size))
            rows[np.arange(2 * chosen.size), np.concatenate([chosen, chosen])] = np.repeat([1.0, -1.0], chosen.size)
            bound = self.backward.run(_start({dense_name(node.name): rows, sparse_name(node.name): -rows})).bound
            upper[chosen] = np.minimum(upper[chosen], bound[: chosen.size])
            lower[chosen] = np.maximum(lower[chosen], -bound[chosen.size :])

    def _relu(self, node: Relu) -> None:
        pairs = self._hexagons(node.input)
        self.planes[node.name] = planes_below(pairs), planes_above(pairs)
        sides = ((dense_name, pairs.lower_a, pairs.upper_a), (sparse_name, pairs.lower_b, pairs.upper_b))
        for name, lower, upper in sides:
            relu = self.state.network[name(node.name)]
            assert isinstance(relu, Relu)
            self.state.tighten(relu.input, lower, upper)
            self.relaxations[relu.name] = relax(self.state.lower[relu.input], self.state.upper[relu.input])
            self.state.relu(relu)
        self.differences[node.name] = pairs.difference_range()

    def _hexagons(self, name: str) -> Hexagons:
        a, b = (
            (self.state.lower[side(name)][0], self.state.upper[side(name)][0]) for side in (dense_name, sparse_name)
        )
        return Hexagons.of(a, b, self.differences[name])


def _start(coefficients: dict[str, FloatArray]) -> Rows:
    count = next(iter(coefficients.values())).shape[0]
    return Rows(coefficients, np.zeros(count), np.zeros(count))


def _blocks(count: int, step: int) -> list[slice]:
    return [slice(first, first + step) for first in range(0, count, step)]
