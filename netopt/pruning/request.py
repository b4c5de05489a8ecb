"""What a pruning method is asked, and what it knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.network.network import Network
from netopt.pruning.influence import Ranges
from netopt.pruning.sample import Sample
from netopt.pruning.weights import PrunableMap


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One call of a method.

    Attributes
    ----------
    network, parts : the network and its prunable maps.
    rate : the fraction to remove.
    generator : source of everything random.
    ranges : what the values do over the domain; None when there is no domain or the method does without.
    sample : points of the domain; None when the method does without.
    rescale : whether the weights kept will be rescaled, one factor a layer.
    priced : whether `rate` is a price and not a fraction.
    """

    network: Network
    parts: tuple[PrunableMap, ...]
    rate: float
    generator: np.random.Generator
    ranges: Ranges | None = None
    sample: Sample | None = None
    rescale: bool = False
    priced: bool = False

    @property
    def known_ranges(self) -> Ranges:
        """The ranges, of a method that asks for a domain."""
        assert self.ranges is not None
        return self.ranges

    @property
    def known_sample(self) -> Sample:
        """The points, of a method that asks for them."""
        assert self.sample is not None
        return self.sample
