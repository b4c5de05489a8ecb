"""Last step of reading: drop what the output does not need and name the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netopt.network.network import INPUT
from netopt.network.nodes import Affine, Node, Relu


def finish_nodes(nodes: Sequence[Node], output: str) -> tuple[tuple[Node, ...], str]:
    """Return the nodes that lead to `output`, renamed, and the output's new name.

    The k-th Relu is ``layer{k}.relu`` and its Affine ``layer{k}.affine``; the output ``output.affine`` unless a Relu
    reads it or is it; any other Affine ``branch{k}.affine``.
    """
    kept = _needed(nodes, output)
    names = {INPUT: INPUT}
    for k, relu in enumerate((node for node in kept if isinstance(node, Relu)), start=1):
        names[relu.name] = f"layer{k}.relu"
        names.setdefault(relu.input, f"layer{k}.affine")
    names.setdefault(output, "output.affine")
    others = [node.name for node in kept if node.name not in names]
    names |= {name: f"branch{k}.affine" for k, name in enumerate(others, start=1)}
    return tuple(_renamed(node, names) for node in kept), names[output]


def _needed(nodes: Sequence[Node], output: str) -> list[Node]:
    wanted = {output}
    kept: list[Node] = []
    for node in reversed(nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _renamed(node: Node, names: dict[str, str]) -> Node:
    if isinstance(node, Relu):
        return Relu(names[node.name], names[node.input], node.size)
    assert isinstance(node, Affine)
    return replace(node, name=names[node.name], inputs=tuple(names[source] for source in node.inputs))


def with_prefix(node: Node, prefix: str) -> Node:
    """Return a node with a prefix before its name and those of the nodes it reads; the input keeps its name."""
    names = {name: name if name == INPUT else prefix + name for name in (node.name, *node.inputs)}
    return _renamed(node, names)
