r"""Weights whose removal changes nothing on the domain, once their means are folded.

A value is *constant* on the domain when no input of positive width reaches it: behind fixed inputs, inactive neurons
and zero weights. A value is *needed* when a path of nonzero weights leads from it to an output. The weight from j to
i goes when, for all the pairs (i, j) it joins (a kernel's weight joins many),

* j is constant: its product is a constant, which the bias takes exactly; or
* i is not needed; or
* i is inactive (its ReLU is zero on the whole domain) and loses *everything* that varies: it then stays at its value
  at the centre, which is not positive. An inactive neuron that would lose a part only keeps all, since the part's
  mean need not leave it inactive.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netopt.arrays import BoolArray
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT
from netopt.network.nodes import Affine, Relu
from netopt.pruning.request import Request
from netopt.pruning.weights import PrunableMap, uses, with_weights


def keep_needed(request: Request) -> dict[str, BoolArray]:
    """Return the weights that the outputs may depend on over the domain."""
    network = request.network
    parts: dict[str, dict[int, PrunableMap]] = {}
    for part in request.parts:
        parts.setdefault(part.node.name, {})[part.index] = part
    varying = _varying(request)
    needed = {INPUT: np.zeros(network.input_size, dtype=bool)}
    needed |= {node.name: np.zeros(node.size, dtype=bool) for node in network.nodes}
    needed[network.output][:] = True
    inactive = _inactive(request)
    kept: dict[str, BoolArray] = {}
    for node in reversed(network.nodes):
        if isinstance(node, Relu):
            needed[node.input] |= needed[node.name]
            continue
        here, maps = _decide(node, parts.get(node.name, {}), varying, needed[node.name], inactive[node.name])
        kept |= here
        rows = needed[node.name][None].astype(np.float64)
        for source, linear_map in zip(node.inputs, maps, strict=True):
            needed[source] |= linear_map.apply_abs_transpose(rows)[0] > 0.0
    return {part.key: kept[part.key] for part in request.parts}


def _varying(request: Request) -> dict[str, BoolArray]:
    """Return which values are not constant on the domain."""
    ranges = request.known_ranges
    varying = {INPUT: ranges.width[INPUT] > 0.0}
    for node in request.network.nodes:
        if isinstance(node, Relu):
            varying[node.name] = varying[node.input] & ~ranges.inactive[node.name]
        else:
            value = np.zeros(node.size, dtype=bool)
            for source, linear_map in zip(node.inputs, node.maps, strict=True):
                value |= _reaches(linear_map, varying[source])
            varying[node.name] = value
    return varying


def _inactive(request: Request) -> dict[str, BoolArray]:
    """Return which values of each Affine only ReLUs read that are zero on the whole domain."""
    network, ranges = request.network, request.known_ranges
    result = {node.name: np.ones(node.size, dtype=bool) for node in network.affines}
    for node in network.nodes:
        if isinstance(node, Relu):
            result[node.input] &= ranges.inactive[node.name]
        else:
            for source in node.inputs:
                if source in result:
                    result[source][:] = False
    if network.output in result:
        result[network.output][:] = False
    return result


def _decide(
    node: Affine,
    parts: Mapping[int, PrunableMap],
    varying: Mapping[str, BoolArray],
    needed: BoolArray,
    inactive: BoolArray,
) -> tuple[dict[str, BoolArray], list[LinearMap]]:
    """Return the weights of an Affine that are kept, and its maps with only these."""
    free = ~needed | inactive
    while True:
        kept: dict[str, BoolArray] = {}
        maps = list(node.maps)
        for k, part in parts.items():
            joins = uses(part.linear_map, varying[part.source].astype(np.float64), (~free).astype(np.float64))
            kept[part.key] = (joins > 0.0) & (part.weights != 0.0)
            maps[k] = with_weights(part.linear_map, np.where(kept[part.key], part.weights, 0.0))
        partly = np.zeros(node.size, dtype=bool)
        for source, linear_map in zip(node.inputs, maps, strict=True):
            partly |= _reaches(linear_map, varying[source])
        broken = free & needed & partly  # inactive, but something that varies stays
        if not broken.any():
            return kept, maps
        free &= ~broken


def _reaches(linear_map: LinearMap, varying: BoolArray) -> BoolArray:
    reached: BoolArray = linear_map.apply_abs(varying[None].astype(np.float64))[0] > 0.0
    return reached
