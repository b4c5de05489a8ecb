"""Sizes of networks and of their big-M models, side by side, for ``info`` and ``prune``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import click

from netopt.cli.command import Option
from netopt.cli.report import print_table

if TYPE_CHECKING:
    from netopt.bounds.preactivation import PreactivationBounds
    from netopt.network.network import Network
    from netopt.specification.domain import Domain

LpBound = Annotated[
    int | None,
    Option(
        "--lp-bound", min=0, metavar="K", help="Bound output K by the linear relaxation too; needs the inputs' range."
    ),
]


def measure_sizes(
    network: Network, bounds: PreactivationBounds, domain: Domain, lp_output: int | None
) -> dict[str, dict[str, Any]]:
    """Return what ``{"given": ..., "reduced": ...}`` count: the network as it is, and reduced over the domain.

    Raises
    ------
    InputError
        There is no output `lp_output`.
    """
    from netopt.reduction import reduce_network

    reduction = reduce_network(network, domain, bounds)
    return {
        "given": measure_size(network, bounds, domain, lp_output),
        "reduced": measure_size(reduction.network, reduction.bounds, domain, lp_output),
    }


def measure_size(
    network: Network, bounds: PreactivationBounds, domain: Domain, lp_output: int | None
) -> dict[str, Any]:
    """Return the counts of a network and of its model, and the bound of output `lp_output` where one is asked for.

    Raises
    ------
    InputError
        There is no such output.
    """
    import numpy as np

    from netopt.engines.model_size import model_size
    from netopt.errors import InputError
    from netopt.reduction.statistics import NetworkSize
    from netopt.solvers.registry import get_solver

    weights = None
    if lp_output is not None:
        if lp_output >= network.output_size:
            raise InputError(f"there is no output {lp_output}; the network has {network.output_size}, counted from 0")
        weights = np.eye(network.output_size)[lp_output]
    model = asdict(model_size(network, domain, bounds, weights=weights, solver=get_solver("highs")))
    lp_bound = model.pop("lp_bound")
    counts = asdict(NetworkSize.of(network, bounds))
    return {**counts, **model, **({} if lp_bound is None else {"lp_bound": lp_bound})}


def print_sizes(sizes: dict[str, dict[str, Any]]) -> None:
    """Print the sizes, one network a column."""
    click.echo("")
    what = next(iter(sizes.values()))
    rows = [[name, *(f"{size[name]:.9g}" for size in sizes.values())] for name in what]
    print_table(["size", *sizes], rows)
