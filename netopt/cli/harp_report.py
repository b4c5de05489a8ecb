"""What ``netopt harp`` reports: one JSON object, or a page of text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from netopt.cli.report import print_table

if TYPE_CHECKING:
    from netopt.network.network import Network
    from netopt.pruning.harp.options import HarpOptions
    from netopt.pruning.harp.result import HarpResult


def content_of(
    network: Network,
    options: HarpOptions,
    result: HarpResult,
    tests: Mapping[str, Any] | None,
    memory: int,
    seconds: float,
) -> dict[str, Any]:
    """Return the report."""
    import numpy as np

    return {
        "schema": 1,
        "command": "harp",
        "status": "done",
        "network_sha256": network.sha256,
        "options": asdict(options),
        "keep": result.keep,
        "kept": result.kept,
        "target_met": result.target_met,
        "weights": {"before": result.mask.weights, "after": result.mask.weights_kept},
        "layers": [
            {"name": key, "before": kept.size, "after": int(np.count_nonzero(kept))}
            for key, kept in result.mask.kept.items()
        ],
        "rates": dict(result.rates),
        "test": tests,
        "epochs": [asdict(epoch) for epoch in result.history],
        "memory_estimate": memory,
        "seconds": seconds,
        "notices": list(result.notices),
    }


def print_report(content: Mapping[str, Any]) -> None:
    """Print the report as text."""
    weights, options = content["weights"], content["options"]
    click.echo(f"weights: {weights['before']} -> {weights['after']}")
    what = "weights" if options["structure"] == "weights" else "multiply-adds"
    click.echo(f"kept: {content['kept']:.4%} of the {what} (target: {content['keep']:.4%})")
    for notice in content["notices"]:
        click.echo(f"note: {notice}")
    click.echo("")
    print_table(
        ["layer", "weights", "kept", "share"],
        [
            [layer["name"], layer["before"], layer["after"], f"{layer['after'] / layer['before']:.4%}"]
            for layer in content["layers"]
        ],
    )
    if (tests := content["test"]) is not None:
        click.echo("")
        print_table(
            [f"{tests['images']} test images", "clean", f"PGD-{tests['attack_steps']} at {options['epsilon']:.4g}"],
            [[name, f"{tests[name]['clean']:.2%}", f"{tests[name]['attacked']:.2%}"] for name in ("dense", "pruned")],
        )
