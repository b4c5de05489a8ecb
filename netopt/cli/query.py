"""VNN-LIB 2.0: ``netopt verify Q.vnnlib --network NAME=NET.onnx --timeout S``, and how witnesses are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netopt.network.network import Network
    from netopt.problems.results import Witness
    from netopt.specification.vnnlib2 import NetworkDeclaration


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A query and the network it is about.

    Attributes
    ----------
    network, vnnlib : the network, read, and the query's file.
    declaration : what the query declares of the network.
    """

    network: Network
    vnnlib: Path
    declaration: NetworkDeclaration

    def assignment(self, witness: Witness) -> str:
        """Return the assignment that satisfies the query as the standard writes it."""
        lines: list[str] = []
        sides = (
            (self.declaration.inputs, self.network.inputs, witness.x.tolist()),
            (self.declaration.outputs, self.network.outputs, witness.y.tolist()),
        )
        for declared, specs, values in sides:
            first = 0
            for (name, shape), spec in zip(declared, specs, strict=True):
                size = spec.size
                lines.append(f"{name} {spec.dtype} [{','.join(map(str, shape))}]")
                lines += [repr(value) for value in values[first : first + size]]
                first += size
        return "\n".join(lines)


def read_query(vnnlib: Path, named: Sequence[str]) -> Query:
    """Read the network that ``--network NAME=NET.onnx`` names for a query.

    Raises
    ------
    InputError
        The option is not of that form, or does not name the query's one network, or the two disagree on the tensors.
    """
    from netopt.errors import InputError
    from netopt.specification.vnnlib import read_declaration

    declaration = read_declaration(vnnlib)
    if declaration is None:
        raise InputError(f"{vnnlib} is VNN-LIB 1.0 and names no network; call netopt verify NET.onnx {vnnlib}")
    name, equals, path = named[0].partition("=")
    if len(named) != 1 or not (equals and path) or name != declaration.name:
        given = " ".join(f"--network {text}" for text in named)
        raise InputError(f"{given} was given; {vnnlib} needs --network {declaration.name}=NET.onnx")
    return _read(Path(path), vnnlib, declaration)


def find_query(path: Path, vnnlib: Path) -> Query | None:
    """Return the query that a property of VNN-LIB 2.0 is, its network read; None for a property of 1.0.

    Raises
    ------
    InputError
        A file cannot be read, or the two disagree on the tensors.
    """
    from netopt.specification.vnnlib import read_declaration

    declaration = read_declaration(vnnlib)
    return None if declaration is None else _read(path, vnnlib, declaration)


def _read(path: Path, vnnlib: Path, declaration: NetworkDeclaration) -> Query:
    from netopt.errors import InputError
    from netopt.network.load import load_network

    network = load_network(path, output="logits")
    for what, declared, specs in (
        ("inputs", declaration.inputs, network.inputs),
        ("outputs", declaration.outputs, network.outputs),
    ):
        if len(declared) != len(specs):
            raise InputError(f"{vnnlib} declares {len(declared)} {what} and {path} has {len(specs)}; they must agree")
    return Query(network, vnnlib, declaration)
