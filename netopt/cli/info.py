"""``netopt info``: what a network is made of, and how many of its ReLUs are unstable over a box."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from netopt.cli import options
from netopt.cli.command import Option, command
from netopt.cli.inputs import read_domain, read_network
from netopt.cli.report import print_json, print_table
from netopt.cli.sizes import LpBound, measure_sizes, print_sizes

if TYPE_CHECKING:
    from netopt.bounds.preactivation import PreactivationBounds
    from netopt.network.network import Network


@command()
def info(
    network: options.Network,
    property_file: options.PropertyFile = None,
    lower: options.Lower = None,
    upper: options.Upper = None,
    bounds: options.Bounds = "crown",
    reduce: Annotated[
        bool, Option("--reduce", help="Reduce the network over the box, and compare the sizes of the models.")
    ] = False,
    lp_bound: LpBound = None,
    as_json: options.AsJson = False,
) -> None:
    """Print what a network is made of.

    Layers, ReLUs, weights and digest; over a box also how many ReLUs are unstable. The box is --lower
    and --upper, or encloses the inputs of --property.
    """
    from netopt.errors import InvalidOptionError
    from netopt.tightening.levels import tighten

    net = read_network(network, logits=True)
    known, sizes = None, None
    if property_file is not None or lower is not None or upper is not None:
        domain = read_domain(net, lower, upper, property_file, enclose=True)
        known = tighten(net, domain, bounds)
        sizes = measure_sizes(net, known, domain, lp_bound) if reduce or lp_bound is not None else None
    elif reduce or lp_bound is not None:
        raise InvalidOptionError("--reduce and --lp-bound need a box; give --lower and --upper, or --property")
    content = _content(net, known) | {"sizes": sizes}
    if as_json:
        print_json(content)
    else:
        _print(network, content)


def _content(network: Network, bounds: PreactivationBounds | None) -> dict[str, Any]:
    from netopt.network.nodes import Affine, Relu

    layers = []
    for node in network.nodes:
        weights = sum(m.parameters for m in node.maps) if isinstance(node, Affine) else 0
        kind = type(node).__name__.lower()
        layer: dict[str, Any] = {"name": node.name, "kind": kind, "size": node.size, "weights": weights}
        if bounds is not None and isinstance(node, Relu):
            layer["unstable"] = int(bounds.unstable(node.name).sum())
        layers.append(layer)
    return {
        "schema": 1,
        "command": "info",
        "network_sha256": network.sha256,
        "inputs": [{"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype} for spec in network.inputs],
        "outputs": [{"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype} for spec in network.outputs],
        "dropped_output": network.dropped_output,
        "relus": network.relu_count,
        "parameters": network.parameters,
        "layers": layers,
        "bounds": None if bounds is None else bounds.level,
        "unstable": None if bounds is None else bounds.unstable_count,
    }


def _print(path: Path, content: dict[str, Any]) -> None:
    for side in ("inputs", "outputs"):
        shapes = ", ".join(f"{spec['name']} {spec['dtype']} {spec['shape']}" for spec in content[side])
        click.echo(f"{side}: {shapes}")
    if content["dropped_output"]:
        click.echo(f"left out at the end: {content['dropped_output']}")
    click.echo(f"relus: {content['relus']}")
    click.echo(f"parameters: {content['parameters']}")
    click.echo(f"sha256: {content['network_sha256']}")
    counted = content["unstable"] is not None
    if counted:
        click.echo(f"unstable: {content['unstable']} (bounds: {content['bounds']})")
    click.echo("")
    header = ["layer", "kind", "size", "weights", *(["unstable"] if counted else [])]
    rows = [
        [layer["name"], layer["kind"], layer["size"], layer["weights"] or "", layer.get("unstable", "")][: len(header)]
        for layer in content["layers"]
    ]
    print_table(header, rows)
    if content["sizes"] is not None:
        print_sizes(content["sizes"])
