"""What a pruning method is asked, and what it knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.bounds.inputs import as_inputs
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import propagate
from netopt.network.network import Network
from netopt.network.nodes import Relu
from netopt.pruning.weights import PrunableMap, prunable_maps
from netopt.specification.domain import Domain

#: Stands for a width that bounds could not give: larger than any other, and finite so that products stay numbers.
_UNBOUNDED = 1e150


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """What the nodes may be over the domain.

    Attributes
    ----------
    width : name of a node (or `INPUT`) -> (size,), upper minus lower bound, finite.
    inactive : name of an Affine that only ReLUs read -> (size,), True where they all are zero on the whole domain.
    """

    width: Mapping[str, FloatArray]
    inactive: Mapping[str, BoolArray]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One call of a method.

    Attributes
    ----------
    network, parts : the network and its prunable maps.
    rate : the fraction to remove.
    generator : source of everything random.
    ranges : bounds of the values over the domain; None when there is no domain or the method does without.
    """

    network: Network
    parts: tuple[PrunableMap, ...]
    rate: float
    generator: np.random.Generator
    ranges: Ranges | None = None


def make_request(
    network: Network,
    rate: float,
    seed: int,
    domain: Domain | None = None,
    bounds: PreactivationBounds | None = None,
) -> Request:
    """Return a request; the ranges are those of `bounds`, or interval bounds, where a domain is given."""
    ranges = None if domain is None else find_ranges(network, domain, bounds)
    return Request(network, prunable_maps(network), rate, np.random.default_rng(seed), ranges)


def find_ranges(network: Network, domain: Domain, bounds: PreactivationBounds | None) -> Ranges:
    """Return the ranges of all nodes over a domain, in one interval sweep that starts from the bounds of the ReLUs."""
    known: dict[str, tuple[FloatArray, FloatArray]] = {}
    if bounds is not None:
        bounds.require(network)
        known = {relu.name: (bounds.lower[relu.name], bounds.upper[relu.name]) for relu in network.relus}
    state = propagate(network, as_inputs(network, domain), known)
    with np.errstate(invalid="ignore", over="ignore"):
        width = {
            name: np.nan_to_num(np.minimum(state.upper[name][0] - lower[0], _UNBOUNDED), nan=_UNBOUNDED)
            for name, lower in state.lower.items()
        }
    others = {source for node in network.affines for source in node.inputs} | {network.output}
    read_by_relus = {node.input for node in network.nodes if isinstance(node, Relu)} - others
    return Ranges(width, {name: state.upper[name][0] <= 0.0 for name in read_by_relus})
