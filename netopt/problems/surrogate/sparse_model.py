"""From the dense network to the MILP of a pruned one: prune, bound, reduce, write."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from netopt.bounds.compute import compute_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.network import Network
from netopt.problems.surrogate.options import Pruning
from netopt.pruning.prune import prune
from netopt.reduction import reduce_network
from netopt.specification.domain import Domain


@dataclass(frozen=True, slots=True, eq=False)
class SparseModel:
    """A pruned network, ready to be written for any objective over its domain.

    Attributes
    ----------
    pruning : how it was made.
    domain : where its bounds hold.
    network : the pruned network, reduced: the same function on the domain, with fewer neurons.
    bounds : of its pre-activations.
    removed : share of the weights really removed.
    weights : nonzero weights left after reduction.
    seconds : pruning, bounding and reduction together.
    notices : sentences for the reader of the result.
    """

    pruning: Pruning
    domain: Domain
    network: Network
    bounds: PreactivationBounds
    removed: float
    weights: int
    seconds: float
    notices: tuple[str, ...]

    @classmethod
    def of(
        cls,
        network: Network,
        domain: Domain,
        pruning: Pruning,
        bounds: PreactivationBounds,
        *,
        seed: int = 0,
        deadline: float | None = None,
    ) -> SparseModel:
        """Prune `network` over `domain`, bound and reduce what is left.

        Parameters
        ----------
        bounds : of the dense network over the domain, for the methods that look at them; the pruned network is bounded
            at the same level (CROWN where a solver made them).
        deadline : value of `time.monotonic` at which bounding stops with what it has.
        """
        begun = time.monotonic()
        pruned = prune(network, pruning.method, pruning.rate, domain=domain, bounds=bounds, seed=seed)
        level = "interval" if bounds.level == "interval" else "crown"
        reduction = reduce_network(
            pruned.network, domain, compute_bounds(pruned.network, domain, level, deadline=deadline)
        )
        return cls(
            pruning=pruning,
            domain=domain,
            network=reduction.network,
            bounds=reduction.bounds,
            removed=pruned.mask.removed,
            weights=sum(m.to_csr().nnz for node in reduction.network.affines for m in node.maps),
            seconds=time.monotonic() - begun,
            notices=pruned.notices,
        )

    def record(self) -> dict[str, Any]:
        """Return what a stage's record says of the pruned network."""
        return {
            "pruning": self.pruning.label,
            "method": self.pruning.method,
            "rate": self.pruning.rate,
            "removed": self.removed,
            "weights": self.weights,
            "relus": self.network.relu_count,
            "unstable_relus": self.bounds.unstable_count,
            "prune_seconds": self.seconds,
        }
