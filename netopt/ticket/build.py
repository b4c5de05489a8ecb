"""From a target to what was found for it: one pass over its learned maps and biases."""

from __future__ import annotations

from netopt.arrays import FloatArray
from netopt.network.network import Network
from netopt.ticket.assemble import assemble
from netopt.ticket.carry import carry_of
from netopt.ticket.fold import folded_network
from netopt.ticket.found import Found
from netopt.ticket.layers import Layers
from netopt.ticket.random_network import RandomPair
from netopt.ticket.search import Advance, Choose, find_bias, find_map


def random_pairs(layers: Layers, width: int, seed: int) -> tuple[tuple[RandomPair, ...], tuple[RandomPair, ...]]:
    """Return the random layers of every learned map and of every bias; maps have even stream numbers, biases odd."""
    maps = tuple(RandomPair(seed, 2 * k, one.blocks, width, one.entries) for k, one in enumerate(layers.maps))
    biases = tuple(
        RandomPair(seed, 2 * k + 1, one.targets.shape[0], width, one.targets.shape[1])
        for k, one in enumerate(layers.biases)
    )
    return maps, biases


def build_ticket(
    target: Network,
    layers: Layers,
    *,
    width: int,
    seed: int,
    choose: Choose,
    advance: Advance,
    points: FloatArray | None = None,
) -> Found:
    """Choose the filters for everything learned and join them to a network.

    Parameters
    ----------
    choose : which filters stay; it solves the problems (`searched`), or remembers the answers.
    advance : told how far the search is.
    points : of the domain, (count, inputs); channels make up for errors of others there. None leaves errors alone.
    """
    of_maps, of_biases = random_pairs(layers, width, seed)
    maps = tuple(
        find_map(one, pair, choose, advance, None if points is None else carry_of(target, one, points))
        for one, pair in zip(layers.maps, of_maps, strict=True)
    )
    biases = tuple(find_bias(one, pair, choose, advance) for one, pair in zip(layers.biases, of_biases, strict=True))
    network = assemble(target, layers.scales, maps, biases)
    folded = folded_network(target, layers.scales, maps, biases)
    return Found(target, network, folded, layers.scales, maps, biases)
