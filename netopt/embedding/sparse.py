"""Sparse surrogates of an embedded network: pruned for its domain, reduced without changing it further, corrected."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from netopt.arrays import FloatArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.embedding.correction import slope_at, slope_over, with_slope
from netopt.network.network import Network
from netopt.pruning.agree import agree_at
from netopt.pruning.mask import Mask
from netopt.pruning.prune import prune
from netopt.pruning.registry import parse_prune
from netopt.reduction.reduce import reduce_network
from netopt.reduction.statistics import NetworkSize
from netopt.specification.box import Box
from netopt.tightening.levels import tighten


@dataclass(frozen=True, slots=True)
class SparseOption:
    """How a network is pruned: a method of `netopt.pruning.registry.METHODS`, or a mask; and the fraction removed."""

    method: str | Mask
    rate: float


@dataclass(frozen=True, slots=True, eq=False)
class SparseNetwork:
    """A surrogate and what it stands for.

    Attributes
    ----------
    network : pruned, reduced and corrected; same inputs and outputs as `dense`.
    bounds : of `network` over its domain.
    size : of the pruned and reduced network alone.
    correction : weights of the linear function of the inputs that is added to it.
    dense : the network it stands for, over the same inputs.
    dense_bounds : of `dense` over the same domain.
    """

    network: Network
    bounds: PreactivationBounds
    size: NetworkSize
    correction: int
    dense: Network
    dense_bounds: PreactivationBounds


def parse_sparse(text: str) -> SparseOption:
    """Return ``METHOD:RATE``, e.g. ``"domain-aware:0.8"``, RATE being the fraction removed.

    Raises
    ------
    InvalidOptionError
        The method is unknown, or the rate is missing or outside [0, 1).
    """
    method, rate = parse_prune(text)
    return SparseOption(method, rate)


def sparsify(
    network: Network,
    domain: Box,
    bounds: str | PreactivationBounds,
    option: SparseOption,
    center: FloatArray | None = None,
) -> SparseNetwork:
    """Return the surrogate of `network` over `domain`.

    Parameters
    ----------
    center : a member of the domain at which the surrogate agrees with `network`, in value and slope; None takes the
        domain's centre, and a slope that suits the whole domain.
    bounds : level of the surrogate's bounds, or bounds of the dense network computed before; the surrogate then gets
        bounds of level ``"crown"``.
    """
    if isinstance(bounds, str):
        level = bounds
        dense_bounds = tighten(network, domain, "interval" if level == "interval" else "crown")
    else:
        level, dense_bounds = "crown", replace(bounds, network_sha256=network.sha256)  # constants may be folded in
    whole = reduce_network(network, domain, dense_bounds)
    if not whole.network.relu_count:  # affine over the domain, as where all inputs are constants: nothing to gain
        return SparseNetwork(whole.network, whole.bounds, whole.after, 0, network, dense_bounds)
    found = prune(network, option.method, option.rate, domain=domain, bounds=dense_bounds)
    pruned = found.network if center is None else agree_at(network, found.network, center)
    pruned_bounds = tighten(pruned, domain, level)
    if center is None:
        center = domain.center
        slope = slope_over(network, pruned, domain, dense_bounds, pruned_bounds)
    else:
        slope = slope_at(network, pruned, center)
    reduction = reduce_network(pruned, domain, pruned_bounds)
    corrected, corrected_bounds = with_slope(reduction.network, reduction.bounds, domain, slope, center)
    correction = 0 if corrected is reduction.network else int(np.count_nonzero(slope))
    return SparseNetwork(corrected, corrected_bounds, reduction.after, correction, network, dense_bounds)
