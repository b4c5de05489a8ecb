"""What a HARP training came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netopt.network.network import Network
from netopt.pruning.harp.rates import TOLERANCE
from netopt.pruning.harp.state import Epoch
from netopt.pruning.mask import Mask


@dataclass(frozen=True, slots=True, eq=False)
class HarpResult:
    """A sparse network and how it was found.

    Attributes
    ----------
    network : sparse and fine-tuned.
    dense : the network before pruning: as given, or pretrained.
    mask : of `dense`, like any other; ``apply_mask(dense, mask)`` is what was pruned and not fine-tuned.
    rates : layer -> share of its weights (with channels: of its channels) that is kept.
    keep, kept : share of the weights (with channels: of the multiply-adds) that was to be kept, and that is.
    history : every epoch.
    notices : what the reader should know, one sentence each; a missed target is one.
    """

    network: Network
    dense: Network
    mask: Mask
    rates: Mapping[str, float]
    keep: float
    kept: float
    history: tuple[Epoch, ...]
    notices: tuple[str, ...] = ()

    @property
    def target_met(self) -> bool:
        """Whether no more is kept than was to be."""
        return self.kept <= self.keep * (1.0 + TOLERANCE)
