"""``netopt maximize``: maximize or minimize a linear function of the outputs, with a proven bound."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import click

from netopt.cli import options
from netopt.cli.command import Option, command
from netopt.cli.exits import Exit, complain
from netopt.cli.inputs import left, output_weights, read_domain, read_network
from netopt.cli.progress import progress_line
from netopt.cli.report import number, print_json, witness_text

if TYPE_CHECKING:
    from pathlib import Path

    from netopt.problems.results import MaximizationResult


@command()
def maximize(
    network: options.Network,
    property_file: options.PropertyFile = None,
    lower: options.Lower = None,
    upper: options.Upper = None,
    output: options.Output = None,
    weights: options.Weights = None,
    minimize: options.Minimize = False,
    logits: options.Logits = False,
    solver: options.Solver = "auto",
    formulation: options.Formulation = "big-m",
    bounds: options.Bounds = "crown",
    prune: options.Prune = None,
    gap: Annotated[float, Option("--gap", metavar="G", help="Relative gap at which it is optimal.")] = 1e-4,
    time_limit: options.TimeLimit = None,
    threads: options.Threads = 1,
    memory_limit: options.MemoryLimit = None,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
    as_json: options.AsJson = False,
    results_file: options.ResultsFile = None,
    quiet: options.Quiet = False,
) -> None:
    """Maximize a linear function of the outputs.

    The first line is optimal, feasible, infeasible, timeout or unknown; primal_bound and dual_bound follow.
    """
    begun = time.monotonic()
    from netopt.cli.outputs import check_outputs
    from netopt.problems.maximization import maximize as solve

    check_outputs(results_file)
    net = read_network(network, logits=logits)
    function = output_weights(net, output, weights)
    domain = read_domain(net, lower, upper, property_file)
    with progress_line(f"maximize {network.name}", quiet=quiet) as progress:
        result = solve(
            net,
            domain,
            weights=function,
            minimize=minimize,
            solver=solver,
            formulation=formulation,
            bounds=bounds,
            prune=prune,
            gap=gap,
            time_limit=left(time_limit, begun),
            threads=threads,
            seed=seed,
            device=device,
            memory_limit=memory_limit,
            progress=progress,
        )
    _report(result, as_json, results_file, quiet)
    raise click.exceptions.Exit(_status(result))


def _report(result: MaximizationResult, as_json: bool, results_file: Path | None, quiet: bool) -> None:
    if as_json:
        print_json(result.to_json())
    else:
        click.echo(result_text(result))
    if results_file is not None:
        witness = [] if result.witness is None else [witness_text(result.witness)]
        results_file.write_text("\n".join([result_text(result), *witness, ""]), encoding="ascii")
    if not quiet:
        for notice in result.notices:
            complain(notice)


def result_text(result: MaximizationResult) -> str:
    """Return the status and both bounds, one a line."""
    return "\n".join(
        [
            result.status.value,
            f"primal_bound {number(result.primal_bound)}",
            f"dual_bound {number(result.dual_bound)}",
        ]
    )


def _status(result: MaximizationResult) -> Exit:
    if result.status in ("optimal", "infeasible"):
        return Exit.DECIDED
    return Exit.INTERRUPTED if result.interrupted else Exit.UNDECIDED
