"""``netopt supports``: the capabilities that VNN-LIB 2.0 has tools ask a solver for, one a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated

import click

from netopt.cli.command import Argument, command


def _opset_versions() -> list[str]:
    import onnx

    from netopt.network.onnx_reader.reader import OLDEST_OPSET

    return [str(OLDEST_OPSET), str(onnx.defs.onnx_opset_version())]


def _operators() -> list[str]:
    from netopt.network.onnx_reader.registry import operators

    return sorted({*operators(), "Constant"})


#: Capability -> its lines. Proofs are about the network in real arithmetic, hence the one element type; nested
#: disjunctions become a disjunction of conjunctions.
CAPABILITIES: Mapping[str, Callable[[], list[str]]] = MappingProxyType(
    {
        "onnx-opset-versions": _opset_versions,
        "onnx-element-types": lambda: ["real"],
        "onnx-operators": _operators,
        "vnnlib-versions": lambda: ["1.0", "2.0"],
        "hidden-node-theories": lambda: ["NH"],
        "multiple-input-output-theories": lambda: ["MIO"],
        "multiple-network-theories": lambda: ["SNET"],
        "multiple-node-comparison-theories": lambda: ["MNC"],
        "arithmetic-complexity-theories": lambda: ["LIN"],
        "optimised-disjunctive-reasoning": lambda: ["false"],
        "serialise-assignments": lambda: ["false"],
        "unsat-proofs": lambda: ["false"],
    }
)


@command(context_settings={"ignore_unknown_options": True})
def supports(
    capability: Annotated[
        str, Argument(metavar="--CAPABILITY", help=f"One of: {', '.join(f'--{name}' for name in CAPABILITIES)}.")
    ],
) -> None:
    """Print one capability.

    These are what the VNN-LIB 2.0 standard has tools ask a solver for.
    """
    from netopt.errors import InvalidOptionError

    name = capability.removeprefix("--")
    if name not in CAPABILITIES:
        raise InvalidOptionError(f"there is no capability {capability!r}; ask for one of --{', --'.join(CAPABILITIES)}")
    for line in CAPABILITIES[name]():
        click.echo(line)
