"""``netopt ticket``: a network inside a random one that does what a target does, by cutting whole filters."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from netopt.cli import options
from netopt.cli.command import Argument, Option, command
from netopt.cli.inputs import read_domain, read_network
from netopt.cli.outputs import check_outputs
from netopt.cli.report import print_json, print_table
from netopt.errors import InvalidOptionError

if TYPE_CHECKING:
    from netopt.problems.worst_difference import WorstDifference
    from netopt.ticket.search import Advance
    from netopt.ticket.sizes import Sizes
    from netopt.ticket.ticket import Ticket


@command()
def ticket(
    target: Annotated[Path, Argument(metavar="TARGET.onnx", help="The network to approximate, .onnx or .onnx.gz.")],
    width: Annotated[
        int, Option("--width", min=1, metavar="N", help="The random network has 2 N channels for each input channel.")
    ],
    scale: Annotated[
        str,
        Option(
            "--scale",
            metavar="A|auto",
            help="Look for A times every learned map, and divide at the output; auto: as large as vectors reach, map by"
            " map.",
        ),
    ] = "auto",
    size: Annotated[
        int | None,
        Option("--size", min=1, metavar="K", help="Filters each channel keeps for each sign; chosen if left out."),
    ] = None,
    dimension: Annotated[
        int | None,
        Option(
            "--dimension",
            min=1,
            metavar="M",
            help="Largest subset-sum problem: filters serve groups of outputs, not all.",
        ),
    ] = None,
    effort: Annotated[
        str, Option("--effort", metavar="NAME", help="How long each subset is looked for: quick or thorough.")
    ] = "thorough",
    property_file: options.PropertyFile = None,
    lower: options.Lower = None,
    upper: options.Upper = None,
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="TICKET.onnx", help="Write the ticket here.")
    ] = None,
    reduced: Annotated[
        Path | None,
        Option("--reduced", metavar="FILE.onnx", help="Write what exact reduction leaves of the ticket here."),
    ] = None,
    mask: Annotated[
        Path | None, Option("--mask", metavar="FILE.npz", help="Write which filters are kept here.")
    ] = None,
    worst_case: Annotated[
        float | None,
        Option(
            "--worst-case",
            min=0.0,
            metavar="SECONDS",
            help="Look for the largest difference of both, with proof, for so long.",
        ),
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
    logits: options.Logits = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Find a ticket: a network inside a random one.

    It does what the target does.

    Nothing is trained: filters of one fixed random network are kept or cut. The inputs that count are --lower and
    --upper, or enclose those of --property; without them [-1, 1] for each. Inputs that are never negative need half
    the filters.
    """
    from netopt.network.onnx_writer import write_onnx
    from netopt.ticket.finder import named_effort
    from netopt.ticket.masks import save_masks
    from netopt.ticket.sizes import measure_sizes
    from netopt.ticket.ticket import find_ticket

    check_outputs(output, reduced, mask)
    net = read_network(target, logits=logits)
    given = property_file is not None or lower is not None or upper is not None
    domain = read_domain(net, lower, upper, property_file, enclose=True) if given else None
    with _progress(quiet=quiet) as advance:
        found = find_ticket(
            net,
            width,
            scale=_scale(scale),
            seed=seed,
            size=size,
            dimension=dimension,
            domain=domain,
            effort=named_effort(effort),
            device=device,
            advance=advance,
        )
    sizes = measure_sizes(found.found, found.domain)
    if output is not None:
        write_onnx(found.network, output)
    if reduced is not None:
        write_onnx(sizes.network, reduced)
    if mask is not None:
        save_masks(found, mask)
    content = _content(found, sizes)
    if worst_case is not None:
        content["worst_case"] = _worst_case(found, sizes, content["certificate"]["output"], worst_case, seed)
    if as_json:
        print_json(content)
    else:
        _print(content)


def _scale(text: str) -> float | None:
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError as error:
        raise InvalidOptionError(f"scale={text!r} is neither a number nor auto; give one, such as 8") from error


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Advance | None]:
    """Yield what tells the terminal how far the search is, or None where nothing is to be shown."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def advance(key: str, done: int, total: int) -> None:
            if key not in tasks:
                tasks[key] = bars.add_task(key, total=total)
            bars.update(tasks[key], completed=done)

        yield advance


def _worst_case(found: Ticket, sizes: Sizes, known: list[float], seconds: float, seed: int) -> dict[str, Any]:
    import numpy as np

    from netopt.problems.worst_difference import worst_difference

    worst: WorstDifference = worst_difference(
        found.target, sizes.network, found.domain, known=np.array(known), time_limit=seconds, seed=seed
    )
    return {
        "value": worst.value,
        "bound": worst.bound if np.isfinite(worst.bound) else None,
        "proven": worst.proven,
        "output": worst.output,
        "x": None if worst.x is None else worst.x.tolist(),
    }


def _content(found: Ticket, sizes: Sizes) -> dict[str, Any]:
    import numpy as np

    from netopt.ticket.quality import measure_quality

    certificate = found.certificate()
    finite = np.where(np.isfinite(certificate.output), certificate.output, np.finfo(np.float64).max)
    return {
        "schema": 1,
        "command": "ticket",
        "network_sha256": found.target.sha256,
        "ticket_sha256": found.network.sha256,
        "width": found.width,
        "scale": "auto" if found.scale is None else found.scale,
        "seed": found.seed,
        "size": found.size,
        "dimension": found.dimension,
        "subsets": [asdict(one) for one in measure_quality(found.found)],
        "sizes": {
            "random": asdict(sizes.random),
            "ticket": asdict(sizes.ticket),
            "reduced": asdict(sizes.reduced),
            "target": asdict(sizes.target),
        },
        "certificate": {"layers": [asdict(one) for one in certificate.layers], "output": finite.tolist()},
        "worst_case": None,
    }


def _print(content: dict[str, Any]) -> None:
    rows = [
        [
            one["key"],
            f"{one['scale']:g}",
            one["problems"],
            one["entries"],
            f"{one['candidates']:.0f}",
            one["kept"],
            f"{one['relative_error']:.2%}",
            f"{one['deviation']:.3g}",
            f"{one['empty_deviation']:.3g}",
            f"{one['limit']:.3g}",
        ]
        for one in content["subsets"]
    ]
    print_table(["subset sums", "scale", "problems", "D", "n", "kept", "error", "deviation", "empty", "limit"], rows)
    click.echo("")
    sizes = content["sizes"]
    names = ["weights", "neurons", "unstable"]
    rows = [[name, *(sizes[which].get(name, "") for which in sizes)] for name in names]
    print_table(["size", *sizes], rows)
    click.echo("")
    rows = [
        [one["key"], f"{one['entry']:.3g}", f"{one['layer']:.3g}", f"{one['total']:.3g}"]
        for one in content["certificate"]["layers"]
    ]
    print_table(["certified error", "entry", "layer", "so far"], rows)
    click.echo(f"|target - ticket| <= {max(content['certificate']['output']):.6g} for every input, proven")
    worst = content["worst_case"]
    if worst is not None:
        bound = "unknown" if worst["bound"] is None else f"{worst['bound']:.6g}"
        click.echo(f"largest difference found {worst['value']:.6g}, proven bound {bound}")
