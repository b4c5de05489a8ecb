"""``netopt prune``: a sparse version of a network, written as ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from netopt.cli import options
from netopt.cli.command import Option, command
from netopt.cli.inputs import read_domain, read_network
from netopt.cli.outputs import check_outputs
from netopt.cli.report import print_json, print_table
from netopt.cli.sizes import LpBound, measure_size, measure_sizes, print_sizes

if TYPE_CHECKING:
    from netopt.bounds.preactivation import PreactivationBounds
    from netopt.network.network import Network
    from netopt.pruning.prune import Pruned
    from netopt.specification.domain import Domain


@command()
def prune(
    network: options.Network,
    method: Annotated[
        str, Option("--method", metavar="NAME", help="How weights are chosen; see docs/pruning.md.")
    ] = "domain-aware",
    rate: Annotated[
        float | None, Option("--rate", metavar="R", help="Fraction of weights to remove, in [0, 1).")
    ] = None,
    keep: Annotated[
        float | None, Option("--keep", metavar="K", help="Fraction of weights to keep, instead of --rate.")
    ] = None,
    property_file: options.PropertyFile = None,
    lower: options.Lower = None,
    upper: options.Upper = None,
    no_fold: Annotated[
        bool, Option("--no-fold", help="Leave the biases; pruned weights' means are not added to them.")
    ] = False,
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="SMALL.onnx", help="Write the sparse network here.")
    ] = None,
    mask: Annotated[
        Path | None, Option("--mask", metavar="FILE.npz", help="Write the mask of kept weights here.")
    ] = None,
    bounds: options.Bounds = "crown",
    lp_bound: LpBound = None,
    seed: options.Seed = 0,
    logits: options.Logits = False,
    as_json: options.AsJson = False,
) -> None:
    """Remove weights of a network.

    The inputs that matter are --lower and --upper, or enclose those of --property; without them only methods
    that look at the weights alone work, and nothing is folded.
    """
    from netopt.errors import InvalidOptionError
    from netopt.pruning.prune import prune as remove
    from netopt.tightening.levels import tighten

    if lp_bound is not None and property_file is None and lower is None and upper is None:
        raise InvalidOptionError("--lp-bound needs the inputs' range; give --lower and --upper, or --property")
    share = _rate(method, rate, keep)
    _check_domain_given(method, given=not (property_file is None and lower is None and upper is None))
    check_outputs(output, mask)
    net = read_network(network, logits=logits)
    domain, known = None, None
    if property_file is not None or lower is not None or upper is not None:
        domain = read_domain(net, lower, upper, property_file, enclose=True)
        known = tighten(net, domain, bounds)
    pruned = remove(net, method, share, domain=domain, bounds=known, fold=False if no_fold else None, seed=seed)
    if output is not None:
        from netopt.network.onnx_writer import write_onnx

        write_onnx(pruned.network, output)
    if mask is not None:
        pruned.mask.save(mask)
    after = None if domain is None else _bounds_after(pruned, domain, bounds)
    content = _content(net, pruned, known, after, folded=domain is not None and not no_fold)
    if domain is not None and known is not None and after is not None:
        given = measure_sizes(pruned.network, after, domain, lp_bound)
        dense = measure_size(net, known, domain, lp_bound)
        content["sizes"] = {"dense": dense, "sparse": given["given"], "reduced": given["reduced"]}
    if as_json:
        print_json(content)
    else:
        _print(content)


def _rate(method: str, rate: float | None, keep: float | None) -> float:
    """Return the fraction that --rate or --keep asks to remove."""
    from netopt.errors import InvalidOptionError
    from netopt.pruning.registry import check_rate, find_method

    chosen = find_method(method)
    takes_rate = chosen.takes_rate
    if rate is not None and keep is not None:
        raise InvalidOptionError("both --rate and --keep were given; give one of the two")
    if not takes_rate and (rate is not None or keep is not None):
        raise InvalidOptionError(f"--method {method} removes what its rule names; leave --rate and --keep out")
    if chosen.priced and keep is not None:
        raise InvalidOptionError(f"the rate of --method {method} is a price and no fraction; give it by --rate")
    if keep is not None:
        if not 0.0 < keep <= 1.0:
            raise InvalidOptionError(f"--keep {keep:g} is not in (0, 1]; give the fraction of weights to keep")
        return 1.0 - keep
    if takes_rate and rate is None:
        raise InvalidOptionError("no rate was given; give --rate, the fraction of weights to remove, or --keep")
    return check_rate(rate or 0.0)


def _check_domain_given(method: str, *, given: bool) -> None:
    from netopt.errors import InvalidOptionError
    from netopt.pruning.registry import find_method

    if find_method(method).needs_domain and not given:
        raise InvalidOptionError(
            f"--method {method} looks at the inputs that matter; give --lower and --upper, or --property"
        )


def _bounds_after(pruned: Pruned, domain: Domain, level: str) -> PreactivationBounds:
    from netopt.tightening.levels import tighten

    return tighten(pruned.network, domain, level)


def _content(
    network: Network,
    pruned: Pruned,
    before: PreactivationBounds | None,
    after: PreactivationBounds | None,
    *,
    folded: bool,
) -> dict[str, Any]:
    import numpy as np

    kept = pruned.mask.kept
    return {
        "schema": 1,
        "command": "prune",
        "network_sha256": network.sha256,
        "method": pruned.mask.method,
        "rate": pruned.mask.rate,
        "removed": pruned.mask.removed,
        "folded": folded,
        "weights": {"before": pruned.mask.weights, "after": pruned.mask.weights_kept},
        "layers": [
            {"name": key, "before": array.size, "after": int(np.count_nonzero(array))} for key, array in kept.items()
        ],
        "bounds": None if before is None else before.level,
        "unstable": None
        if before is None or after is None
        else {"before": before.unstable_count, "after": after.unstable_count},
        "sizes": None,
        "notices": list(pruned.notices),
    }


def _print(content: dict[str, Any]) -> None:
    weights = content["weights"]
    click.echo(f"method: {content['method']}{', folded' if content['folded'] else ''}")
    click.echo(f"weights: {weights['before']} -> {weights['after']} ({content['removed']:.2%} removed)")
    if content["unstable"] is not None:
        unstable = content["unstable"]
        click.echo(f"unstable: {unstable['before']} -> {unstable['after']} (bounds: {content['bounds']})")
    for notice in content["notices"]:
        click.echo(f"note: {notice}")
    click.echo("")
    rows = [
        [layer["name"], layer["before"], layer["after"], f"{1.0 - layer['after'] / max(layer['before'], 1):.2%}"]
        for layer in content["layers"]
    ]
    print_table(["layer", "weights", "kept", "removed"], rows)
    if content["sizes"] is not None:
        print_sizes(content["sizes"])
