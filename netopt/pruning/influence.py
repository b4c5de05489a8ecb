r"""How much the values of a network may move over a domain, and how much each moves the outputs.

Ranges come from bounds. Influence is carried backward from the outputs, each ReLU replaced by the chord over its range
(slope 0 inactive, 1 active, :math:`u / (u - l)` unstable), in two ways: signed, as the matrix M of the linearised
network, and absolute, as the row :math:`a = 1^T |W_L| D \cdots`. Signed products know of cancellations and take them
at their word; absolute ones know of none. The influence of a neuron is the geometric mean of both,

.. math:: s_i = \sqrt{a_i \, \big( \tfrac1m \sum_k M_{ki}^2 \big)^{1/2}} .
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.bounds.inputs import as_inputs
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import Propagation, propagate
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Relu
from netopt.specification.domain import Domain

#: Stands for a width that bounds could not give: larger than any other, and finite so that products stay numbers.
_UNBOUNDED = 1e100
#: Rows carried backward at most: more outputs are mixed with random signs, which keeps mean squares in expectation.
_ROWS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """What the nodes do over the domain; arrays are (size,).

    Attributes
    ----------
    width : name of a node (or `INPUT`) -> upper minus lower bound, finite.
    influence : name of a node -> how much the outputs move with its value, >= 0.
    inactive : name of a Relu -> True where it is zero on the whole domain.
    """

    width: Mapping[str, FloatArray]
    influence: Mapping[str, FloatArray]
    inactive: Mapping[str, BoolArray]


def find_ranges(network: Network, domain: Domain, bounds: PreactivationBounds | None = None) -> Ranges:
    """Return the ranges over a domain by one sweep forward and one backward.

    Parameters
    ----------
    bounds : pre-activation bounds of `network` over `domain`; None: interval bounds.

    Raises
    ------
    InputError
        The domain does not fit the network or is empty, or the bounds belong to another network.
    """
    known: dict[str, tuple[FloatArray, FloatArray]] = {}
    if bounds is not None:
        bounds.require(network)
        known = bounds.pairs
    state = propagate(network, as_inputs(network, domain), known)
    width = {name: _finite(state.upper[name][0], lower[0]) for name, lower in state.lower.items()}
    inactive = {relu.name: state.upper[relu.input][0] <= 0.0 for relu in network.relus}
    return Ranges(width, _influence(network, state), inactive)


def _finite(upper: FloatArray, lower: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.nan_to_num(np.clip(upper - lower, 0.0, _UNBOUNDED), nan=_UNBOUNDED)


def _influence(network: Network, state: Propagation) -> dict[str, FloatArray]:
    """Return the influence of every node on the outputs."""
    size = network.output_size
    start = np.eye(size)
    if size > _ROWS:
        start = np.random.default_rng(0).choice([-1.0, 1.0], size=(_ROWS, size))
    signed = {network.output: start}
    absolute = {network.output: np.ones((1, size))}
    result: dict[str, FloatArray] = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for node in reversed(network.nodes):
            rows, row = signed.pop(node.name, None), absolute.pop(node.name, None)
            if rows is None or row is None:  # no output depends on it
                result[node.name] = np.zeros(node.size)
                continue
            result[node.name] = _mean(rows, row)
            if isinstance(node, Relu):
                slope = _chord(state.lower[node.input][0], state.upper[node.input][0])
                _add(signed, node.input, rows * slope)
                _add(absolute, node.input, row * slope)
                continue
            for source, linear_map in zip(node.inputs, node.maps, strict=True):
                if source != INPUT:
                    _add(signed, source, linear_map.apply_transpose(rows))
                    _add(absolute, source, linear_map.apply_abs_transpose(row))
    return result


def _mean(rows: FloatArray, row: FloatArray) -> FloatArray:
    """Return the geometric mean of the rows' root mean square and the absolute row, (size,)."""
    largest = np.abs(rows).max(initial=0.0)
    scale = largest if 0.0 < largest < np.inf else 1.0
    mean: FloatArray = np.sqrt(np.sqrt(np.square(rows / scale).mean(axis=0)) * scale) * np.sqrt(row[0])
    return np.nan_to_num(mean, nan=_UNBOUNDED, posinf=_UNBOUNDED)


def _chord(lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Return the slope of the chord of ReLU over each range; 1 where it is unknown."""
    unstable = (lower < 0.0) & (upper > 0.0)
    slope = np.divide(upper, upper - lower, out=(upper > 0.0).astype(np.float64), where=unstable)
    return np.nan_to_num(slope, nan=1.0)


def _add(rows: dict[str, FloatArray], name: str, value: FloatArray) -> None:
    rows[name] = rows[name] + value if name in rows else value
