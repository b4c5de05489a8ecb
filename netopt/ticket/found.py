"""A target, its ticket, and all that lies between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netopt.network.network import Network
from netopt.ticket.search import FoundBias, FoundMap


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A target and what was found for it.

    Attributes
    ----------
    target, network : the target and its ticket.
    folded : the ticket in the target's shape, where there is one.
    scales : name of a node of the target -> the ticket's value over the target's.
    maps, biases : what was found for every learned map and bias.
    """

    target: Network
    network: Network
    folded: Network | None
    scales: Mapping[str, float]
    maps: tuple[FoundMap, ...]
    biases: tuple[FoundBias, ...]
