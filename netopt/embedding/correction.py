r"""Surrogates that keep the slope: a linear function of the inputs makes up for what pruning took.

A sparse network g is written as

.. math:: g(w) + S (w - c),

c the point where it agrees with the dense network f. At a known point S is the slope of ``f - g``: f and surrogate then
agree there to first order, and rank the points around it alike even when nearly all weights are gone. Without one, S is
halfway between the slopes of linear bounds above and below ``f - g`` over the whole domain.
"""

from __future__ import annotations

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.difference import difference_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.engines.transferred import bounds_for
from netopt.network.composition import structured
from netopt.network.gradient import value_and_gradient
from netopt.network.identity import Identity
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine
from netopt.specification.box import Box

_HEAD = "corrected.affine"


def slope_at(dense: Network, sparse: Network, point: FloatArray) -> FloatArray:
    """Return the slope of ``dense - sparse`` at a point, (m, n)."""
    inputs, rows = np.tile(point, (dense.output_size, 1)), np.eye(dense.output_size)
    return np.asarray(value_and_gradient(dense, inputs, rows)[1] - value_and_gradient(sparse, inputs, rows)[1])


def slope_over(
    dense: Network,
    sparse: Network,
    domain: Box,
    dense_bounds: PreactivationBounds,
    sparse_bounds: PreactivationBounds,
) -> FloatArray:
    """Return the slope halfway between bounds of ``dense - sparse`` over the domain, (m, n)."""
    differences = difference_bounds(dense, sparse, domain, dense_bounds, sparse_bounds)
    rows = np.eye(dense.output_size)
    lines = differences.upper_functions(np.concatenate([rows, -rows])).coefficients
    return np.asarray((lines[: rows.shape[0]] - lines[rows.shape[0] :]) / 2.0)


def with_slope(
    network: Network, bounds: PreactivationBounds, domain: Box, slope: FloatArray, center: FloatArray
) -> tuple[Network, PreactivationBounds]:
    """Return ``network(w) + slope (w - center)`` and its bounds; the network itself where the slope is not finite."""
    if not np.isfinite(slope).all():
        return network, bounds
    constant = -slope @ center
    head = Affine(_HEAD, (network.output, INPUT), (Identity(network.output_size), structured(slope)), constant)
    corrected = Network((*network.nodes, head), _HEAD, network.inputs, network.outputs)
    return corrected, bounds_for(corrected, domain, bounds)
