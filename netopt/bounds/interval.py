"""Interval bounds: one sweep through the network, the loosest and fastest level."""

from __future__ import annotations

from netopt.bounds.inputs import as_inputs
from netopt.bounds.preactivation import Pairs, PreactivationBounds
from netopt.bounds.propagation import Propagation, propagate
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Relu
from netopt.specification.domain import Domain


def interval_bounds(network: Network, domain: Domain) -> PreactivationBounds:
    """Return interval bounds of every ReLU; the first layer is concretised over the domain itself.

    Raises
    ------
    InputError
        The domain does not fit the network or is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.interval import interval_bounds
    >>> from netopt.network.build import from_weights
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> bounds = interval_bounds(network, Box(np.array([-1.0]), np.array([2.0])))
    >>> bounds.unstable_count
    2
    """
    return collect(propagate(network, as_inputs(network, domain), {}), "interval")


def collect(state: Propagation, level: str) -> PreactivationBounds:
    """Return the bounds a finished sweep over a single domain holds."""
    network = state.network
    return PreactivationBounds(
        lower={relu.name: state.lower[relu.input][0] for relu in network.relus},
        upper={relu.name: state.upper[relu.input][0] for relu in network.relus},
        output_lower=state.lower[network.output][0],
        output_upper=state.upper[network.output][0],
        level=level,
        network_sha256=network.sha256,
    )


def tightened(bounds: PreactivationBounds, network: Network, domain: Domain, pairs: Pairs) -> PreactivationBounds:
    """Return `bounds` with tighter ones of the ReLUs, name -> (lower, upper), and what these say of later nodes."""
    return collect(propagate(network, as_inputs(network, domain), pairs), bounds.level).intersect(bounds)


def inexact_relus(network: Network) -> list[Relu]:
    """Return the ReLUs whose pre-activations are no functions of the inputs alone: intervals of those are exact."""
    return [relu for relu in network.relus if set(network[relu.input].inputs) != {INPUT}]
