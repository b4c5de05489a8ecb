"""``netopt verify``: decide a VNN-LIB property of a network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from netopt.cli import options
from netopt.cli.command import Argument, Option, command
from netopt.cli.exits import Exit, complain
from netopt.cli.inputs import left
from netopt.cli.progress import progress_line
from netopt.cli.query import find_query, read_query
from netopt.cli.report import print_json, witness_text

if TYPE_CHECKING:
    from netopt.cli.query import Query
    from netopt.problems.results import VerificationResult

Files = Annotated[list[Path], Argument(metavar="NET.onnx PROP.vnnlib", help="The network and the property.")]
Named = Annotated[
    list[str] | None,
    Option(
        "--network", metavar="NAME=NET.onnx", help="The VNN-LIB 2.0 call: the network, PROP.vnnlib being the argument."
    ),
]
Confirm = Annotated[str | None, Option("--confirm", metavar="NAME", help="Repeat a proof of unsat with this solver.")]

Proof = Annotated[
    Path | None,
    Option("--proof", metavar="FILE", help="Write a proof of unsat to FILE, for 'netopt check' to follow."),
]


@command()
def verify(
    files: Files,
    network: Named = None,
    solver: options.Solver = "auto",
    formulation: options.Formulation = "big-m",
    bounds: options.Bounds = "crown",
    prune: options.Prune = None,
    confirm: Confirm = None,
    time_limit: options.TimeLimit = None,
    threads: options.Threads = 1,
    memory_limit: options.MemoryLimit = None,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
    as_json: options.AsJson = False,
    results_file: options.ResultsFile = None,
    proof: Proof = None,
    quiet: options.Quiet = False,
) -> None:
    """Decide a VNN-LIB property of a network.

    The first line is sat (an input satisfies the property), unsat (none does), unknown or timeout. A witness follows
    sat: in VNN-COMP form, or as the tensors of a VNN-LIB 2.0 query.
    """
    begun = time.monotonic()
    from netopt.cli.outputs import check_outputs
    from netopt.problems.verification import verify as solve

    check_outputs(results_file, proof)
    query = find_query(*_pair(files)) if network is None else read_query(_only(files), network)
    subject = files[0] if query is None else query.network
    with progress_line(f"verify {files[-1].name}", quiet=quiet) as progress:
        result = solve(
            subject,
            files[-1],
            solver=solver,
            formulation=formulation,
            bounds=bounds,
            prune=prune,
            confirm=confirm,
            time_limit=left(time_limit, begun),
            threads=threads,
            memory_limit=memory_limit,
            seed=seed,
            device=device,
            progress=progress,
            proof=proof,
        )
    if as_json:
        print_json(result.to_json())
    elif network is not None and result.status == "timeout":
        click.echo("timed-out")  # the standard's word in this call
    else:
        click.echo(_text(result, query))
    if results_file is not None:
        results_file.write_text(_text(result, query) + "\n", encoding="ascii")
    if not quiet:
        for notice in result.notices:
            complain(notice)
    raise click.exceptions.Exit(_status(result))


def _text(result: VerificationResult, query: Query | None) -> str:
    """Return the verdict, and below it the witness of a ``sat`` in the form of the property's version."""
    if result.status != "sat" or result.witness is None:
        return result.status.value
    witness = witness_text(result.witness) if query is None else query.assignment(result.witness)
    return f"{result.status.value}\n{witness}"


def _pair(files: list[Path]) -> tuple[Path, Path]:
    """Return the network's file and the property's."""
    from netopt.errors import InputError

    if len(files) != 2:
        raise InputError(f"verify takes NET.onnx and PROP.vnnlib, {_counted(files)}")
    network, prop = files
    if network.name.endswith((".vnnlib", ".vnnlib.gz")):
        raise InputError(f"verify takes the network first, {network} was given; call netopt verify NET.onnx {network}")
    return network, prop


def _only(files: list[Path]) -> Path:
    """Return the query's file."""
    from netopt.errors import InputError

    if len(files) != 1:
        raise InputError(f"with --network, verify takes one property, {_counted(files)}")
    return files[0]


def _counted(files: list[Path]) -> str:
    return f"{len(files)} file{'s were' if len(files) != 1 else ' was'} given"


def _status(result: VerificationResult) -> Exit:
    if result.status in ("sat", "unsat"):
        return Exit.DECIDED
    return Exit.INTERRUPTED if result.interrupted else Exit.UNDECIDED
