"""How large the random network, the ticket, what exact reduction leaves of it, and the target are."""

from __future__ import annotations

from dataclasses import dataclass

from netopt.bounds.compute import compute_bounds
from netopt.network.convolution import Convolution
from netopt.network.network import Network
from netopt.reduction.reduce import reduce_network
from netopt.reduction.statistics import NetworkSize
from netopt.specification.domain import Domain
from netopt.ticket.found import Found


@dataclass(frozen=True, slots=True)
class RandomSize:
    """Counts of the random network, before any mask.

    Attributes
    ----------
    weights : of U and V, all drawn from N(0, 1), and of the maps that are kept as they are; biases not counted.
    neurons : ReLUs; each takes a binary at most.
    """

    weights: int
    neurons: int


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Counts over the domain; binaries are the unstable neurons.

    Attributes
    ----------
    random : the random network.
    ticket : the filters that are kept.
    reduced : the ticket without what is stable over the domain.
    target : the target.
    network : the reduced network itself.
    """

    random: RandomSize
    ticket: NetworkSize
    reduced: NetworkSize
    target: NetworkSize
    network: Network


def measure_sizes(found: Found, domain: Domain) -> Sizes:
    """Count all four; stability is judged by interval bounds of the ticket, and by CROWN once it is reduced."""
    reduction = reduce_network(found.network, domain, compute_bounds(found.network, domain, "interval"))
    return Sizes(
        random=_random_size(found),
        ticket=reduction.before,
        reduced=NetworkSize.of(reduction.network, compute_bounds(reduction.network, domain)),
        target=NetworkSize.of(found.target, compute_bounds(found.target, domain)),
        network=reduction.network,
    )


def _random_size(found: Found) -> RandomSize:
    weights, neurons = 0, found.target.relu_count
    for one in found.maps:
        learned, width = one.learned, one.subsets.pair.width
        lifted = 2 * width * learned.blocks
        pixels = learned.shape.in_size // learned.channels if isinstance(learned.shape, Convolution) else 1
        weights += lifted * learned.channels + lifted * learned.entries * learned.groups
        neurons += lifted * pixels
    for bias in found.biases:
        lifted = 2 * bias.subsets.pair.width * bias.subsets.pair.channels
        weights += lifted * (1 + bias.learned.targets.size)
        neurons += lifted
    learned_places = {(one.learned.node.name, one.learned.index) for one in found.maps}
    weights += sum(
        linear_map.parameters
        for node in found.target.affines
        for k, linear_map in enumerate(node.maps)
        if (node.name, k) not in learned_places
    )
    return RandomSize(weights, neurons)
