"""From the dense network to the MILP of a pruned one: prune, bound, reduce, write."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from netopt.arrays import FloatArray
from netopt.bounds.compute import compute_bounds
from netopt.bounds.difference import DifferenceBounds, difference_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.engines.objective import SlackObjective
from netopt.engines.transferred import corrected
from netopt.network.network import Network
from netopt.problems.surrogate.options import Pruning
from netopt.pruning.agree import agree_at
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
    differences : what pruning took from the dense network.
    removed : share of the weights really removed.
    weights : nonzero weights left after reduction.
    seconds : pruning, bounding and reduction together.
    notices : sentences for the reader of the result.
    """

    pruning: Pruning
    domain: Domain
    network: Network
    bounds: PreactivationBounds
    differences: DifferenceBounds
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
        point: FloatArray | None = None,
        seed: int = 0,
        deadline: float | None = None,
    ) -> SparseModel:
        """Prune `network` over `domain`, bound and reduce what is left.

        Parameters
        ----------
        bounds : of the dense network over the domain, for the methods that look at them; the pruned network is bounded
            at the same level (CROWN where a solver made them).
        point : (n,) where the pruned network is to agree with the dense one, best the best point known; None is the
            centre of the domain.
        deadline : value of `time.monotonic` at which bounding stops with what it has.
        """
        begun = time.monotonic()
        pruned = prune(network, pruning.method, pruning.rate, domain=domain, bounds=bounds, seed=seed)
        folded = pruned.network if point is None else agree_at(network, pruned.network, point)
        level = "interval" if bounds.level == "interval" else "crown"
        found = compute_bounds(folded, domain, level, deadline=deadline)
        differences = difference_bounds(network, folded, domain, bounds, found, level=level, deadline=deadline)
        reduction = reduce_network(folded, domain, found)
        return cls(
            pruning=pruning,
            domain=domain,
            network=reduction.network,
            bounds=reduction.bounds,
            differences=differences,
            removed=pruned.mask.removed,
            weights=sum(m.to_csr().nnz for node in reduction.network.affines for m in node.maps),
            seconds=time.monotonic() - begun,
            notices=pruned.notices,
        )

    def objective(self, dense: SlackObjective) -> SlackObjective:
        """Return an objective of the dense network as one of this network.

        A linear function of the inputs, halfway between bounds of what pruning took from it, is added to every slack.
        """
        return corrected(dense, self.differences)

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
