r"""Interval propagation through the nodes, with the rounding error of the float64 forward pass included.

For ``v = b + sum_k W_k x_k`` with ``x_k`` in ``m_k -+ r_k``:

.. math:: v \in b + \sum_k W_k m_k \mp \sum_k |W_k| r_k \mp \rho, \qquad
          \rho = 4 \gamma_{K} \Big( |b| + \sum_k |W_k| (|m_k| + r_k) \Big) + 4 K\,\mathrm{tiny}

where K is the number of terms plus a few. One gamma pays for the rounding of ``Network.forward``, one for the product
with the middles, one for the product with the radii, one for the sums of these: so the interval contains the exact
value and what the forward pass computes, also at a point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.bounds.inputs import BoxBatch, Inputs
from netopt.bounds.rounding import TINY, UNIT_ROUNDOFF, gamma, middle_and_radius, sound_lower, sound_upper
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu


@dataclass(slots=True, eq=False)
class Propagation:
    """What is known of every node over a batch of B input sets; filled node by node.

    Attributes
    ----------
    lower, upper : name of a node (or `INPUT`) -> (B, size).
    magnitude : name of an Affine -> (B, size), at least ``|b| + sum |W| max |x|``: its rounding errors are a small
        multiple of it.
    underflow : (B,) what all underflows of a backward pass may amount to.
    terms : a number of additions that no entry of any Affine or of its transpose exceeds.
    inexact : name of an Affine -> (size,), how far its value may be from the one that bounds are wanted of.
    """

    network: Network
    inputs: Inputs
    inexact: Mapping[str, FloatArray] = field(default_factory=dict)
    lower: dict[str, FloatArray] = field(default_factory=dict)
    upper: dict[str, FloatArray] = field(default_factory=dict)
    magnitude: dict[str, FloatArray] = field(default_factory=dict)
    underflow: FloatArray = field(init=False)
    terms: int = field(init=False)

    def __post_init__(self) -> None:
        self.lower[INPUT], self.upper[INPUT] = self.inputs.lower, self.inputs.upper
        sizes = [self.network.input_size, *(node.size for node in self.network.nodes)]
        fan_in = max((affine_terms(node) for node in self.network.affines), default=0)
        self.terms = fan_in + max(sizes) + len(sizes) + 8
        self.underflow = self._lost(INPUT)

    def reach(self, name: str) -> FloatArray:
        """Return the largest absolute value of a node, (B, size)."""
        largest: FloatArray = np.maximum(np.abs(self.lower[name]), np.abs(self.upper[name]))
        return largest

    def affine(self, node: Affine) -> None:
        """Bound an Affine whose sources are bounded."""
        lower, upper, magnitude = affine_interval(node, self)
        if node.name in self.inexact:  # counted as rounding: what is added up is a multiple of the magnitude
            with np.errstate(over="ignore"):
                error = self.inexact[node.name] * (1.0 + 8.0 * UNIT_ROUNDOFF)
                lower, upper = sound_lower(lower - error), sound_upper(upper + error)
                lower, upper = np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf)
                magnitude = magnitude + error / gamma(2 * self.terms)
        self.lower[node.name], self.upper[node.name], self.magnitude[node.name] = lower, upper, magnitude
        self.underflow = self.underflow + self._lost(node.name)

    def _lost(self, name: str) -> FloatArray:
        """Return what underflows may take from a product with a node's values, (B,)."""
        with np.errstate(over="ignore"):
            lost: FloatArray = self.terms * TINY * (1.0 + self.reach(name).sum(axis=1))
        return lost

    def tighten(self, name: str, lower: FloatArray, upper: FloatArray) -> None:
        """Intersect a node's bounds with others, (B, size) or (size,)."""
        self.lower[name] = np.maximum(self.lower[name], lower)
        self.upper[name] = np.minimum(self.upper[name], upper)

    def relu(self, node: Relu) -> None:
        """Bound a Relu whose Affine is bounded."""
        self.lower[node.name] = np.maximum(self.lower[node.input], 0.0)
        self.upper[node.name] = np.maximum(self.upper[node.input], 0.0)


def affine_terms(node: Affine) -> int:
    """Return the largest number of terms an entry of an Affine sums, its bias included."""
    return 1 + sum(int(linear_map.fan_in.max(initial=0)) + 1 for linear_map in node.maps)


def affine_interval(node: Affine, known: Propagation) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (lower, upper, magnitude) of an Affine, each (B, size)."""
    shape = (known.inputs.count, node.size)
    lower, upper = np.tile(node.bias, (shape[0], 1)), np.tile(node.bias, (shape[0], 1))
    magnitude = np.abs(lower)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for source, linear_map in zip(node.inputs, node.maps, strict=True):
            middle, radius = middle_and_radius(known.lower[source], known.upper[source])
            value = linear_map.apply(middle)
            absolute = linear_map.apply_abs(np.concatenate([radius, np.abs(middle)]))
            spread, weight = absolute[: shape[0]], absolute[shape[0] :]
            low, high = value - spread, value + spread
            if source == INPUT and not isinstance(known.inputs, BoxBatch):
                known.inputs.tighten_range(linear_map, low, high)
            lower += low
            upper += high
            magnitude += spread + weight
        terms = affine_terms(node) + known.inputs.lower.shape[1] * (INPUT in node.inputs) + 8
        magnitude = sound_upper(magnitude * (1.0 + 2.0 * gamma(terms)))
        error = 4.0 * gamma(terms) * magnitude + 4.0 * terms * TINY
        lower, upper = sound_lower(lower - error), sound_upper(upper + error)
    above, below = _signed(node, known)
    np.maximum(lower, 0.0, out=lower, where=above)
    np.minimum(upper, 0.0, out=upper, where=below)
    return lower, upper, magnitude


def _signed(node: Affine, known: Propagation) -> tuple[BoolArray, BoolArray]:
    """Return which entries of an Affine are sums of nonnegative and of nonpositive terms: rounding keeps that sign."""
    above, below = node.bias >= 0.0, node.bias <= 0.0
    for source, linear_map in zip(node.inputs, node.maps, strict=True):
        if not (known.lower[source] >= 0.0).all():
            return np.zeros_like(above), np.zeros_like(below)
        no_negative, no_positive = linear_map.signed_rows
        above, below = above & no_negative, below & no_positive
    return above, below


def propagate(
    network: Network,
    inputs: Inputs,
    known: Mapping[str, tuple[FloatArray, FloatArray]],
    inexact: Mapping[str, FloatArray] = MappingProxyType({}),
) -> Propagation:
    """Bound every node in one sweep; `known` gives tighter pre-activation bounds of Relus, (size,) or (B, size)."""
    state = Propagation(network, inputs, inexact)
    for node in network.nodes:
        if isinstance(node, Affine):
            state.affine(node)
        else:
            if node.name in known:
                state.tighten(node.input, *known[node.name])
            state.relu(node)
    return state


def forward_error(state: Propagation) -> dict[str, FloatArray]:
    """Return how far `Network.forward` may be from exact arithmetic at every Affine: name -> (B, size).

    Each node adds the rounding of its own sums and passes on the error of what it reads; ReLU does not enlarge it.
    """
    errors: dict[str, FloatArray] = {INPUT: np.zeros_like(state.inputs.lower)}
    for node in state.network.nodes:
        if isinstance(node, Relu):
            errors[node.name] = errors[node.input]
            continue
        own = gamma(affine_terms(node) + 8)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            error = own * state.magnitude[node.name] + state.underflow[:, None]
            for source, linear_map in zip(node.inputs, node.maps, strict=True):
                error = error + linear_map.apply_abs(errors[source]) * (1.0 + 2.0 * own)
            errors[node.name] = sound_upper(error * (1.0 + 2.0 * own))
    return {node.name: errors[node.name] for node in state.network.affines}
