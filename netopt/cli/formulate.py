"""``netopt formulate``: the MILP of a property or a maximization as an .mps or .lp file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from netopt.cli import options
from netopt.cli.command import Argument, Option, command
from netopt.cli.inputs import output_weights, read_domain, read_network, read_property
from netopt.cli.report import print_json

if TYPE_CHECKING:
    from formulations.milp import MilpModel
    from netopt.arrays import FloatArray
    from netopt.engines.objective import SlackObjective
    from netopt.network.network import Network
    from netopt.specification.domain import Domain

File = Annotated[Path, Argument(metavar="FILE", help="What to write: its name ends in .mps or .lp.")]
CaseNumber = Annotated[
    int | None, Option("--case", min=1, metavar="K", help="Which input region of the property, from 1.")
]
DisjunctNumber = Annotated[
    int | None, Option("--disjunct", min=1, metavar="K", help="Which disjunct of that region, from 1.")
]


@command()
def formulate(
    network: options.Network,
    file: File,
    property_file: options.PropertyFile = None,
    case: CaseNumber = None,
    disjunct: DisjunctNumber = None,
    lower: options.Lower = None,
    upper: options.Upper = None,
    output: options.Output = None,
    weights: options.Weights = None,
    minimize: options.Minimize = False,
    logits: options.Logits = False,
    formulation: options.Formulation = "big-m",
    bounds: options.Bounds = "crown",
    time_limit: options.TimeLimit = None,
    threads: options.Threads = 1,
    as_json: options.AsJson = False,
) -> None:
    """Write the MILP of a problem to FILE.

    With --output or --weights the objective is that function of the outputs, over --lower and --upper or the inputs of
    --property. With --property alone it is the smallest normalised slack of one disjunct, maximized: the disjunct is
    satisfiable where the optimum is at least 0.
    """
    begun = time.monotonic()
    from formulations.registry import parse_formulation
    from netopt.cli.outputs import check_outputs
    from netopt.engines.milp import build_slack_model
    from netopt.tightening.levels import tighten

    write = _writer(file)
    check_outputs(file)
    form = parse_formulation(formulation)
    if property_file is not None and output is None and weights is None:
        _refuse(
            minimize or logits or lower is not None or upper is not None,
            "--minimize, --logits, --lower and --upper do not go with --property alone; leave them out",
        )
        net, domain, objective = _disjunct(network, property_file, case, disjunct)
    else:
        _refuse(
            case is not None or disjunct is not None,
            "--case and --disjunct choose a part of --property; leave out --output and --weights",
        )
        net = read_network(network, logits=logits)
        objective = _linear(output_weights(net, output, weights), minimize)
        domain = read_domain(net, lower, upper, property_file)
    deadline = None if time_limit is None else begun + time_limit
    found = tighten(net, domain, bounds, deadline=deadline, threads=threads)
    written = build_slack_model(net, domain, objective, found, form)
    model = _turned(written.model) if minimize else written.model
    write(model, file)
    head = {"schema": 1, "command": "formulate", "network_sha256": net.sha256, "file": str(file), "bounds": found.level}
    _report(head, _sizes(model) | {"binaries": written.encoding.binary_count}, begun, as_json)


def _refuse(wrong: bool, sentence: str) -> None:
    from netopt.errors import InputError

    if wrong:
        raise InputError(sentence)


def _writer(file: Path) -> Callable[[MilpModel, Path], None]:
    """Return the writer for a file's ending."""
    from netopt.solvers.lp import write_lp
    from netopt.solvers.mps import write_mps

    writers = {".mps": write_mps, ".lp": write_lp}
    _refuse(file.suffix not in writers, f"{file} ends in neither .mps nor .lp; give it one of these endings")
    return writers[file.suffix]


def _report(head: dict[str, Any], sizes: dict[str, int], begun: float, as_json: bool) -> None:
    if as_json:
        print_json(head | sizes | {"seconds": time.monotonic() - begun})
    else:
        click.echo(f"{head['file']}: " + ", ".join(f"{count} {name}" for name, count in sizes.items() if count))


def _sizes(model: MilpModel) -> dict[str, int]:
    return {
        "rows": model.row_count,
        "columns": model.column_count,
        "nonzeros": int(model.matrix.nnz),
        "sos1": 0 if model.sos1 is None else model.sos1.count,
        "indicators": 0 if model.indicators is None else model.indicators.count,
    }


def _turned(model: MilpModel) -> MilpModel:
    """Return the same problem with the other sense: max -f becomes min f."""
    return replace(
        model, objective=-model.objective, objective_constant=-model.objective_constant, maximize=not model.maximize
    )


def _linear(weights: FloatArray, minimize: bool) -> SlackObjective:
    from netopt.engines.objective import SlackObjective

    return SlackObjective.linear(-weights if minimize else weights)


def _disjunct(
    path: Path, property_file: Path, case: int | None, disjunct: int | None
) -> tuple[Network, Domain, SlackObjective]:
    """Return the network, the domain and the smallest normalised slack of one disjunct of a property."""
    from netopt.engines.objective import SlackObjective

    network = read_network(path, logits=True)
    cases = read_property(network, property_file).cases
    chosen = cases[_choice("--case", "input regions", case, len(cases), property_file)]
    disjuncts = chosen.disjuncts
    conjunction = disjuncts[_choice("--disjunct", "disjuncts", disjunct, len(disjuncts), property_file)]
    return network, chosen.domain, SlackObjective.normalised(conjunction)


def _choice(option: str, what: str, number: int | None, count: int, path: Path) -> int:
    """Return the position, from 0, that an option counted from 1 chooses."""
    _refuse(number is None and count != 1, f"{path} has {count} {what}; choose one with {option}")
    position = (number or 1) - 1
    _refuse(position >= count, f"{option} is {number} and {path} has {count} {what}; choose one of them")
    return position
