"""The bound levels that need no solver, by name."""

from __future__ import annotations

import time

from netopt.bounds.crown import crown_bounds
from netopt.bounds.interval import interval_bounds
from netopt.bounds.preactivation import LEVELS, PreactivationBounds
from netopt.errors import InvalidOptionError
from netopt.network.network import Network
from netopt.specification.domain import Domain


def compute_bounds(
    network: Network, domain: Domain, level: str = "crown", *, deadline: float | None = None
) -> PreactivationBounds:
    """Return bounds of every ReLU's pre-activation and of the output over a domain.

    Parameters
    ----------
    level : ``"interval"``, ``"crown"`` or ``"alpha-crown"``; `netopt.tightening.levels.tighten` has the levels that
        need a solver too.
    deadline : value of `time.monotonic` at which CROWN and alpha-CROWN stop with what they have.

    Raises
    ------
    InvalidOptionError
        The level is unknown or needs a solver.
    InputError
        The domain does not fit the network or is empty.
    """
    if level == "interval":
        return interval_bounds(network, domain)
    if level == "crown":
        return crown_bounds(network, domain, deadline=deadline)
    if level == "alpha-crown":
        from netopt.bounds.alpha_crown import alpha_crown_bounds

        crown = crown_bounds(network, domain, deadline=deadline)
        return alpha_crown_bounds(
            network, domain, crown, stopped=lambda: deadline is not None and time.monotonic() >= deadline
        )
    if level in LEVELS:
        raise InvalidOptionError(f"bound level {level!r} needs a solver; call netopt.tightening.levels.tighten")
    raise InvalidOptionError(f"unknown bound level {level!r}; choose one of {', '.join(LEVELS)}")
