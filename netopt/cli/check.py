"""``netopt check``: follow a proof that ``netopt verify --proof`` wrote."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from netopt.cli import options
from netopt.cli.command import Argument, command
from netopt.cli.exits import Exit
from netopt.cli.report import print_json

if TYPE_CHECKING:
    from netopt.network.network import Network
    from netopt.proof.check import Check

ProofPath = Annotated[Path, Argument(metavar="PROOF", help="A file written by 'netopt verify --proof'.")]
PropertyPath = Annotated[Path, Argument(metavar="PROP.vnnlib", help="The property it is about.")]


@command()
def check(
    proof: ProofPath,
    network: options.Network,
    prop: PropertyPath,
    as_json: options.AsJson = False,
) -> None:
    """Check a proof that no input satisfies a property.

    The first line is valid, trusting (valid, if the claims named below it are right) or "invalid: " and the reason.
    Exit status: 0 valid, 3 trusting, 4 invalid.
    """
    begun = time.monotonic()
    from netopt.problems.inputs import as_network, as_property, check_property
    from netopt.proof.check import check_proof
    from netopt.proof.log import read_log

    log = read_log(proof)
    read, asked = as_network(network, logits=True), as_property(prop)
    check_property(read, asked)
    found = check_proof(log, read, asked)
    if as_json:
        print_json(_content(found, read, time.monotonic() - begun))
    else:
        click.echo(_status(found) if found.valid else f"invalid: {found.reason}")
        for claim in found.trusted:
            click.echo(f"trusted: {claim}")
    raise click.exceptions.Exit(
        {"valid": Exit.DECIDED, "trusting": Exit.UNDECIDED, "invalid": Exit.INVALID}[_status(found)]
    )


def _status(found: Check) -> str:
    if not found.valid:
        return "invalid"
    return "trusting" if found.trusted else "valid"


def _content(found: Check, network: Network, seconds: float) -> dict[str, Any]:
    return {
        "schema": 1,
        "command": "check",
        "status": _status(found),
        "reason": found.reason,
        "trusted": list(found.trusted),
        "network_sha256": network.sha256,
        "disjuncts": found.disjuncts,
        "parts": found.parts,
        "own_splits": found.own_splits,
        "fixed": found.fixed,
        "exact": found.exact,
        "seconds": seconds,
    }
