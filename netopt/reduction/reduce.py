"""The smaller network that equals a given one over a domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netopt.arrays import IntArray
from netopt.bounds.preactivation import PreactivationBounds, check_bounds
from netopt.errors import InputError
from netopt.network.network import Network
from netopt.reduction.build import Built, build
from netopt.reduction.carry import carry_bounds
from netopt.reduction.convolutions import has_convolutions, plan_reduction
from netopt.reduction.plan import Plan
from netopt.reduction.prepare import prepare
from netopt.reduction.statistics import NetworkSize
from netopt.specification.domain import Domain
from netopt.specification.fit import check_fit


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """A network reduced over a domain.

    Attributes
    ----------
    network : same inputs and outputs; equal to the given network on the domain up to rounding, and only there.
    bounds : bounds of `network` over the domain, carried over.
    kept : name of a Relu -> (size,) its neurons' numbers in the Relu of that name in the given network.
    before, after : sizes of the two.
    """

    network: Network
    bounds: PreactivationBounds
    kept: Mapping[str, IntArray]
    before: NetworkSize
    after: NetworkSize


def reduce_network(network: Network, domain: Domain, bounds: PreactivationBounds) -> Reduction:
    """Return a smaller network that equals `network` on `domain`.

    Constants fold into biases, neurons the output does not see vanish, and so do those that are never positive; neurons
    that are never negative are written into their readers where that stores no more weights; neurons that are positive
    multiples of each other become one. A convolution becomes a sparse matrix where little of
    it is left, else it loses whole channels.

    Parameters
    ----------
    bounds : bounds of `network` over `domain`, of any level; the tighter, the more is stable.

    Raises
    ------
    InputError
        The domain or the bounds do not fit the network, or the domain is empty.

    Notes
    -----
    Serra, Kumar, Ramalingam, *Lossless compression of deep neural networks*, CPAIOR 2020, for stable neurons.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.bounds.compute import compute_bounds
    >>> from netopt.network.build import from_weights
    >>> from netopt.reduction.reduce import reduce_network
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0], [2.0], [1.0], [-1.0]], [[1.0, 1.0, 1.0, 1.0]]], [[0, 0, 5, -5], [0]])
    >>> box = Box(np.array([-1.0]), np.array([1.0]))
    >>> reduction = reduce_network(network, box, compute_bounds(network, box))
    >>> reduction.before.neurons, reduction.after.neurons  # 1 and 2 are proportional, 3 is active, 4 never is
    (4, 1)
    >>> reduction.network.forward([0.5]).tolist() == network.forward([0.5]).tolist()
    True
    """
    check_fit(network, domain)
    check_bounds(bounds, network)
    if not (domain.lower <= domain.upper).all():
        raise InputError("the domain is empty, and over nothing every network is equal; check `is_empty` first")
    before = NetworkSize.of(network, bounds)
    kept: dict[str, IntArray] = {relu.name: np.arange(relu.size) for relu in network.relus}
    current, known = network, bounds
    while True:
        plan, built = _sweep(current, domain, known)
        if not plan.drops and not built.merged:
            break
        smaller = current.with_nodes(tuple(built.nodes), built.output)
        known = carry_bounds(plan, built, smaller, domain, known)
        kept = {name: kept[name][rows] for name, rows in built.kept.items()}
        shrunk = smaller.relu_count < current.relu_count or len(smaller.nodes) < len(current.nodes)
        current = smaller
        # Folding and dropping leave nothing to fold or drop, unless a convolution has become small enough to write out.
        if not shrunk or not (built.merged or has_convolutions(current)):
            break
    after = before if current is network else NetworkSize.of(current, known)
    return Reduction(current, known, kept, before, after)


def _sweep(network: Network, domain: Domain, bounds: PreactivationBounds) -> tuple[Plan, Built]:
    plan = plan_reduction(prepare(network), domain, bounds)
    return plan, build(plan, bounds)
