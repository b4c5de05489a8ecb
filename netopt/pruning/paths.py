"""A mask that leaves no path from the inputs to the outputs makes a constant network: such a mask is repaired.

Where nothing arrives any more, the largest weight from a value that the inputs still reach to a neuron that leads to an
output of the dense network is put back. One such weight a map is enough, and the smallest of the other weights kept
there makes room for it: none of them is on a path. Only a map that kept nothing has one weight more then.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netopt.arrays import BoolArray
from netopt.errors import InputError
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.pruning.weights import PrunableMap, prunable_maps, uses, with_weights


def ensure_path(network: Network, kept: Mapping[str, BoolArray]) -> tuple[dict[str, BoolArray], tuple[str, ...]]:
    """Return the mask with a path from an input to an output, and a notice for every weight put back.

    Raises
    ------
    InputError
        Not even the dense network has such a path.
    """
    repaired = dict(kept)
    parts: dict[str, dict[int, PrunableMap]] = {}
    for part in prunable_maps(network):
        parts.setdefault(part.node.name, {})[part.index] = part
    if _reached(network, parts, repaired)[network.output].any():
        return repaired, ()
    leads = _leading(network)
    if not leads[INPUT].any():
        raise InputError(
            "no path of nonzero weights joins the network's inputs to its outputs, so it is constant;"
            " use it without pruning"
        )
    notices = []
    reached = {INPUT: np.ones(network.input_size, dtype=bool)}
    for node in network.nodes:
        reached[node.name] = _reach(node, parts.get(node.name, {}), repaired, reached)
        if isinstance(node, Relu) or (reached[node.name] & leads[node.name]).any():
            continue
        notice = _put_back(parts.get(node.name, {}), repaired, reached, leads)
        if notice is not None:
            notices.append(notice)
            reached[node.name] = _reach(node, parts[node.name], repaired, reached)
    return repaired, tuple(notices)


def _reached(
    network: Network, parts: Mapping[str, Mapping[int, PrunableMap]], kept: Mapping[str, BoolArray]
) -> dict[str, BoolArray]:
    """Return which values the inputs still reach through the weights kept."""
    reached = {INPUT: np.ones(network.input_size, dtype=bool)}
    for node in network.nodes:
        reached[node.name] = _reach(node, parts.get(node.name, {}), kept, reached)
    return reached


def _reach(
    node: Affine | Relu,
    parts: Mapping[int, PrunableMap],
    kept: Mapping[str, BoolArray],
    reached: Mapping[str, BoolArray],
) -> BoolArray:
    if isinstance(node, Relu):
        return reached[node.input]
    arrives = np.zeros(node.size, dtype=bool)
    for k, (source, linear_map) in enumerate(zip(node.inputs, node.maps, strict=True)):
        there = linear_map
        if k in parts:
            there = with_weights(linear_map, np.where(kept[parts[k].key], parts[k].weights, 0.0))
        arrives |= there.apply_abs(reached[source][None].astype(np.float64))[0] > 0.0
    return arrives


def _leading(network: Network) -> dict[str, BoolArray]:
    """Return from which values a path of nonzero weights leads to an output of the dense network."""
    leads = {INPUT: np.zeros(network.input_size, dtype=bool)}
    leads |= {node.name: np.zeros(node.size, dtype=bool) for node in network.nodes}
    leads[network.output][:] = True
    for node in reversed(network.nodes):
        if isinstance(node, Relu):
            leads[node.input] |= leads[node.name]
            continue
        rows = leads[node.name][None].astype(np.float64)
        for source, linear_map in zip(node.inputs, node.maps, strict=True):
            leads[source] |= linear_map.apply_abs_transpose(rows)[0] > 0.0
    return leads


def _put_back(
    parts: Mapping[int, PrunableMap],
    kept: dict[str, BoolArray],
    reached: Mapping[str, BoolArray],
    leads: Mapping[str, BoolArray],
) -> str | None:
    """Exchange a map's smallest weight kept for the largest that joins what is reached to what leads on.

    Returns
    -------
    A notice; None where there is no such weight.
    """
    best, place = 0.0, None
    for part in parts.values():
        sources = (reached[part.source] & leads[part.source]).astype(np.float64)
        joins = uses(part.linear_map, sources, leads[part.node.name].astype(np.float64)) > 0.0
        size = np.where(joins, np.abs(part.weights), 0.0)
        k = int(size.argmax())
        if size.flat[k] > best:
            best, place = float(size.flat[k]), (part, k)
    if place is None:
        return None
    part, k = place
    changed, instead = kept[part.key].copy(), "one more than was to be kept"
    if changed.any():
        instead = "in place of its smallest"
        changed.flat[np.where(changed, np.abs(part.weights), np.inf).argmin()] = False
    changed.flat[k] = True
    kept[part.key] = changed
    return f"pruning left no path through {part.key!r}; one of its weights was put back, {instead}"
