"""Prune a network: choose weights, remove them, fold their means into the biases."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from netopt.bounds.preactivation import PreactivationBounds, check_bounds
from netopt.checks import as_whole, check_kind
from netopt.errors import InvalidOptionError
from netopt.network.network import Network
from netopt.pruning.agree import agree
from netopt.pruning.apply import apply_mask, center_values
from netopt.pruning.influence import find_ranges
from netopt.pruning.mask import Mask
from netopt.pruning.paths import ensure_path
from netopt.pruning.registry import Method, as_method, check_rate, find_method
from netopt.pruning.request import Request
from netopt.pruning.sample import draw_sample
from netopt.pruning.weights import prunable_maps
from netopt.specification.domain import Domain
from netopt.specification.fit import check_fit


@dataclass(frozen=True, slots=True, eq=False)
class Pruned:
    """A sparse network and where it comes from.

    Attributes
    ----------
    network : the sparse network; its nodes have the names and sizes of the dense ones.
    mask : the weights kept.
    notices : what the reader should know, one sentence each.
    """

    network: Network
    mask: Mask
    notices: tuple[str, ...] = ()


def prune(
    network: Network,
    method: str | Mask,
    rate: float = 0.0,
    *,
    domain: Domain | None = None,
    bounds: PreactivationBounds | None = None,
    fold: bool | None = None,
    seed: int = 0,
) -> Pruned:
    """Return a sparse version of a network.

    Parameters
    ----------
    method : one of `netopt.pruning.registry.METHODS`, ``mask:FILE`` for a saved mask, or a mask.
    rate : the fraction removed, in [0, 1); the price of all units of a layer for `ticket-priced`.
    domain : the inputs that matter; some methods need it.
    bounds : pre-activation bounds of `network` over `domain`; None computes interval bounds where they are needed.
    fold : whether biases take the value of what was removed, at the domain's centre or (`ticket`) on average; None:
        where a domain is given.
    seed : governs all that is random.

    Raises
    ------
    InputError
        A method or fold needs a domain and none was given, the domain does not fit, the rate is not in [0, 1), or no
        such method exists.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.network.build import from_weights
    >>> from netopt.pruning.prune import prune
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[2.0, 1.0]]], [[0.0]])
    >>> box = Box(np.array([0.9, 0.0]), np.array([1.1, 1.0]))
    >>> prune(network, "domain-aware", 0.5, domain=box).network.forward([1.0, 0.25]).tolist()
    [2.25]
    """
    check_kind(method, (str, Mask), "the pruning method", 'give its name, such as "magnitude", or a Mask')
    chosen = find_method(method) if isinstance(method, str) else as_method(method)
    name = method if isinstance(method, str) else method.method
    _check(network, name, chosen, rate, domain, fold)
    if bounds is not None:
        check_bounds(bounds, network)
    ranges = find_ranges(network, domain, bounds) if domain is not None and chosen.needs_domain else None
    generator = np.random.default_rng(as_whole(seed, "seed", 0))
    sample = draw_sample(network, domain, generator) if domain is not None and chosen.averages else None
    parts = prunable_maps(network)
    request = Request(network, parts, rate, generator, ranges, sample, chosen.rescales, chosen.priced)
    kept = chosen.select(request)
    notices: tuple[str, ...] = ()
    if not chosen.exact:  # a lossless mask of a function that is constant on the domain has no path, rightly
        kept, notices = ensure_path(network, kept)
    mask = Mask(kept, name, rate, network.sha256, chosen.factors)
    if sample is not None and ranges is not None:
        influence = ranges.influence if chosen.rescales else None
        sparse, factors = agree(network, apply_mask(network, mask), sample, influence)
        of_parts = {part.key: factors[part.node.name] for part in parts if part.node.name in factors}
        return Pruned(sparse, replace(mask, factors=of_parts), notices)
    means = center_values(network, domain) if domain is not None and fold is not False else None
    return Pruned(apply_mask(network, mask, means), mask, notices)


def _check(network: Network, name: str, method: Method, rate: float, domain: Domain | None, fold: bool | None) -> None:
    check_kind(network, Network, "the network", "read it with netopt.load_network")
    if domain is not None:
        check_fit(network, domain)
    check_rate(rate)
    if not method.takes_rate and rate:
        raise InvalidOptionError(f"pruning method {name!r} takes no rate and {rate:g} was given; leave it out")
    if method.exact and fold is False:
        raise InvalidOptionError(f"pruning by {name!r} is exact only with folding; leave fold=False out")
    if method.averages and fold is False:
        raise InvalidOptionError(f"pruning by {name!r} counts on folded averages; leave fold=False out")
    if domain is None and method.needs_domain:
        raise InvalidOptionError(f"pruning by {name!r} looks at the inputs that matter; give a domain")
    if domain is None and fold:
        raise InvalidOptionError("folding evaluates what is pruned at the centre of a domain; give one or do not fold")
