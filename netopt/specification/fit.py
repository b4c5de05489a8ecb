"""A domain and the network it is for, checked in one way by every public call."""

from __future__ import annotations

from netopt.checks import check_kind
from netopt.errors import InputError
from netopt.network.network import Network
from netopt.specification.domain import Domain


def check_fit(network: Network, domain: Domain) -> None:
    """Refuse what is no network or no domain, and a domain that does not fit the network.

    Raises
    ------
    InputError
        One is of another class, or their numbers of inputs differ.
    """
    check_kind(network, Network, "the network", "read it with netopt.load_network")
    check_kind(domain, Domain, "the domain", "give a Box, an L1Ball, a Polytope or IntegerPoints")
    if domain.dimension != network.input_size:
        raise InputError(
            f"the domain has {domain.dimension} inputs and the network {network.input_size}; they must agree"
        )
