"""Tickets: a network inside a random one that does what a target does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from netopt.bounds.compute import compute_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.checks import as_whole, check_callable, check_kind, is_positive
from netopt.errors import InputError, InvalidOptionError
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.fit import check_fit
from netopt.subset_sum.search import Effort
from netopt.ticket.build import build_ticket
from netopt.ticket.carry import POINTS
from netopt.ticket.certificate import Certificate, certify
from netopt.ticket.finder import subset_finder
from netopt.ticket.found import Found
from netopt.ticket.layers import learned_layers
from netopt.ticket.memory import check_memory
from netopt.ticket.scales import equal_scales, reaching_scales
from netopt.ticket.search import Advance, searched


@dataclass(frozen=True, eq=False)
class Ticket:
    """A ticket and what it was drawn from.

    Attributes
    ----------
    found : target, ticket and all that was chosen.
    domain : inputs the ticket is for; outside it a channel may take a sign that nothing was kept for.
    width, scale, seed, size, dimension : as `ticket` was given them.
    """

    found: Found
    domain: Domain
    width: int
    scale: float | None
    seed: int
    size: int | None
    dimension: int | None

    @property
    def network(self) -> Network:
        """The ticket: every weight is one of the random network's, but for the factor at the output."""
        return self.found.network

    @property
    def target(self) -> Network:
        """What it approximates."""
        return self.found.target

    @cached_property
    def target_bounds(self) -> PreactivationBounds:
        """CROWN bounds of the target over the domain."""
        return compute_bounds(self.target, self.domain, "crown")

    def certificate(self, *, level: str = "crown") -> Certificate:
        """Return proven bounds of how far the ticket is from its target on the domain; `level` as for `certify`."""
        return certify(self.found, self.domain, self.target_bounds, level=level)


def find_ticket(
    target: Any,
    width: int,
    *,
    scale: float | None = None,
    seed: int = 0,
    size: int | None = None,
    dimension: int | None = None,
    domain: Domain | None = None,
    effort: Effort | None = None,
    device: str = "cpu",
    advance: Advance | None = None,
) -> Ticket:
    """Find a network inside a random one that does what a target does, by cutting whole filters; nothing is trained.

    Parameters
    ----------
    target : a `Network`, the path of an ONNX file, a torch module or a scikit-learn estimator.
    width : n; the random network has 2n channels for each input channel of each learned map.
    scale : every learned map is looked for this many times as large, and the output divided by all of them; powers of
        two divide without rounding. None is the largest power of two, map by map, that the random vectors reach.
    seed : of the random network; the search draws nothing.
    size : number of filters each channel keeps for each sign, as in the theorem; None lets the search choose.
    dimension : largest dimension of a subset-sum problem: filters then serve a group of a map's outputs each, as large
        as that allows. None lets a filter serve all, as in the theorem. Low dimensions are searched far more closely.
    domain : inputs that count, for signs, certificate and sizes; None is [-1, 1] for every input.
    effort : how long the search for each subset looks.
    device : ``"cpu"`` or ``"cuda"``, where subsets are searched.
    advance : called with the name of a map, how many of its subset-sum problems are solved, and how many there are.

    Raises
    ------
    InputError
        The target cannot be used, a bias cannot be carried, or memory does not suffice.
    InvalidOptionError
        An option has a value that cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.network.build import from_weights
    >>> from netopt.ticket.ticket import find_ticket
    >>> target = from_weights([[[0.3, -0.2], [0.1, 0.4]], [[0.5, -0.3]]], [[0.1, 0.0], [0.2]])
    >>> found = find_ticket(target, width=64)
    >>> x = np.random.default_rng(0).uniform(-1.0, 1.0, size=(100, 2))
    >>> error = np.abs(found.network.forward(x) - target.forward(x)).max()
    >>> bool(error <= found.certificate().output[0] < 1e-2)
    True
    """
    network = load_network(target)
    _check_options(width, scale, seed, size, dimension)
    check_callable(advance, "advance")
    inputs = _checked_domain(network, domain)
    scaling = reaching_scales(width, size) if scale is None else equal_scales(scale)
    layers = learned_layers(network, inputs, scaling, dimension)
    effort = effort or Effort()
    check_kind(effort, Effort, "the effort", "give an Effort, or None")
    check_memory(layers, width, effort)
    found = build_ticket(
        network,
        layers,
        width=width,
        seed=seed,
        choose=searched(subset_finder(size=size, effort=effort, device=device), padded=size is None),
        advance=advance or (lambda key, done, total: None),
        points=inputs.sample(np.random.default_rng(seed), POINTS),
    )
    return Ticket(found, inputs, width, scale, seed, size, dimension)


def _check_options(width: int, scale: float | None, seed: int, size: int | None, dimension: int | None) -> None:
    as_whole(width, "width", 1)
    if scale is not None and not (is_positive(scale) and np.isfinite(scale)):
        raise InvalidOptionError(f"scale={scale} is not a positive number; give one, such as 8, or leave it out")
    as_whole(seed, "seed", 0)
    if dimension is not None:
        as_whole(dimension, "dimension", 1)
    if size is not None and not 1 <= as_whole(size, "size", 0) <= width // 2:
        raise InvalidOptionError(
            f"size={size} filters cannot be kept of about {width} a sign; give 1 to {width // 2}, half the width"
        )


def _checked_domain(network: Network, domain: Domain | None) -> Domain:
    """Return the domain to use.

    Raises
    ------
    InputError
        The target holds weights that are not finite, or learned ones nowhere; or the domain does not fit it.
    """
    for node in network.affines:
        if not all(np.isfinite(part).all() for part in (node.bias, *(m.to_csr().data for m in node.maps))):
            raise InputError(f"{node.name!r} of the target holds a weight that is not finite; repair the target")
    if domain is None:
        return Box(-np.ones(network.input_size), np.ones(network.input_size))
    check_fit(network, domain)
    if not (domain.lower <= domain.upper).all():
        raise InputError("the domain is empty; give inputs that the ticket is for")
    return domain
