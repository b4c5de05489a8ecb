"""Sampled regions: linear programs over the regions of the best of many random members.

After Perakis and Tsiourvas, *Optimizing objective functions from trained ReLU neural networks via sampling*
(arXiv 2205.14189).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netopt.attack.ascent import Best
from netopt.attack.objective import SlackBatch
from netopt.attack.region import Region, maximize_over_region
from netopt.network.network import Network
from netopt.specification.domain import Domain

#: Random members evaluated for each region searched.
_SAMPLES = 64


def sampled_regions(
    network: Network,
    domain: Domain,
    objective: SlackBatch,
    *,
    regions: int,
    best: Best,
    stopped: Callable[[], bool],
    generator: np.random.Generator,
    deadline: float | None = None,
) -> int:
    """Maximise each disjunct in turn over the regions of promising random members; return how many were searched.

    Parameters
    ----------
    regions : number of linear programs.
    best : takes note of every point seen.
    stopped, deadline : as in `netopt.attack.walk.walk`.
    """
    samples = domain.sample(generator, _SAMPLES * regions)
    values = objective.values(network, samples)
    best.update(samples, values)
    closest = np.argsort(-best.values, kind="stable")
    rank = np.argsort(-values, axis=0, kind="stable")
    for k in range(regions):
        if stopped():
            return k
        disjunct = int(closest[k % closest.size])
        region = Region.of(network, samples[rank[k // closest.size, disjunct]])
        top = maximize_over_region(region, domain, objective, disjunct, stopped=stopped, deadline=deadline)
        member = domain.project(top[None])
        best.update(member, objective.values(network, member))
    return regions
