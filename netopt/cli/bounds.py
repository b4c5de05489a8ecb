"""``netopt bounds``: bounds of every ReLU's pre-activation and of the outputs, printed and saved."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from netopt.cli import options
from netopt.cli.command import Option, command
from netopt.cli.inputs import read_domain, read_network
from netopt.cli.report import number, print_json, print_table

if TYPE_CHECKING:
    from netopt.bounds.preactivation import PreactivationBounds
    from netopt.network.network import Network


@command()
def bounds(
    network: options.Network,
    property_file: options.PropertyFile = None,
    lower: options.Lower = None,
    upper: options.Upper = None,
    level: options.Bounds = "crown",
    save: Annotated[Path | None, Option("--save", metavar="FILE.npz", help="Write the bounds to FILE.npz.")] = None,
    time_limit: options.TimeLimit = None,
    threads: options.Threads = 1,
    as_json: options.AsJson = False,
) -> None:
    """Bound ReLUs and outputs over a box.

    The box is --lower and --upper, or encloses the inputs of --property.
    """
    begun = time.monotonic()
    from netopt.cli.outputs import check_outputs
    from netopt.tightening.levels import tighten

    check_outputs(save)
    net = read_network(network, logits=True)
    domain = read_domain(net, lower, upper, property_file, enclose=True)
    deadline = None if time_limit is None else begun + time_limit
    found = tighten(net, domain, level, deadline=deadline, threads=threads)
    if save is not None:
        found.save(save)
    content = _content(net, found, level, time.monotonic() - begun)
    if as_json:
        print_json(content)
    else:
        _print(content)


def _content(network: Network, bounds: PreactivationBounds, level: str, seconds: float) -> dict[str, Any]:
    layers = [
        {
            "name": relu.name,
            "size": relu.size,
            "unstable": int(bounds.unstable(relu.name).sum()),
            "active": int((bounds.lower[relu.name] >= 0.0).sum()),
            "mean_width": float((bounds.upper[relu.name] - bounds.lower[relu.name]).mean()),
        }
        for relu in network.relus
    ]
    return {
        "schema": 1,
        "command": "bounds",
        "network_sha256": network.sha256,
        "asked": level,
        "bounds": bounds.level,
        "unstable": bounds.unstable_count,
        "layers": layers,
        "output_lower": bounds.output_lower.tolist(),
        "output_upper": bounds.output_upper.tolist(),
        "seconds": seconds,
    }


def _print(content: dict[str, Any]) -> None:
    click.echo(f"bounds: {content['bounds']}")
    if content["bounds"] != content["asked"]:
        click.echo(f"note: {content['asked']} was not completed for every neuron within the time limit")
    click.echo(f"unstable: {content['unstable']}")
    click.echo("")
    rows = [
        [layer["name"], layer["size"], layer["active"], layer["unstable"], f"{layer['mean_width']:.6g}"]
        for layer in content["layers"]
    ]
    print_table(["layer", "size", "active", "unstable", "mean width"], rows)
    click.echo("")
    outputs = zip(content["output_lower"], content["output_upper"], strict=True)
    print_table(
        ["output", "lower", "upper"], [[f"Y_{k}", number(low), number(high)] for k, (low, high) in enumerate(outputs)]
    )
