"""How large a network is, and what of it a solver has to branch on."""

from __future__ import annotations

from dataclasses import dataclass

from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.network import Network
from netopt.reduction.maps import weight_count


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """Counts of a network over a domain.

    Attributes
    ----------
    weights : weights that are not zero (a convolution's kernel once), biases not counted.
    neurons : ReLU neurons.
    unstable, active, inactive : neurons that can take either phase, are never negative, are never positive.
    layers : ReLU nodes.
    """

    weights: int
    neurons: int
    unstable: int
    active: int
    inactive: int
    layers: int

    @classmethod
    def of(cls, network: Network, bounds: PreactivationBounds) -> NetworkSize:
        """Count `network`, whose neurons have these bounds."""
        inactive = sum(int((bounds.upper[relu.name] <= 0.0).sum()) for relu in network.relus)
        unstable = bounds.unstable_count
        return cls(
            weights=sum(weight_count(m) for node in network.affines for m in node.maps),
            neurons=network.relu_count,
            unstable=unstable,
            active=network.relu_count - unstable - inactive,
            inactive=inactive,
            layers=len(network.relus),
        )
