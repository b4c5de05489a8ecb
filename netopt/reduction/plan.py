r"""Which neurons a smaller network must keep: those that vary over the domain and that the output sees.

Forward: an input fixed by the domain is a constant, an Affine's entry is one when all it reads is, a ReLU's when its
pre-activation is or when it is never positive. Backward from the output: what a kept entry reads is kept.

A convolution that stays one takes and gives whole channels: around it neurons are kept or dropped a channel at a time
(`grain` neurons; all at once where channels come in groups).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.network.convolution import Convolution
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Relu
from netopt.reduction.maps import fan_in, fan_out
from netopt.specification.domain import Domain


@dataclass(slots=True, eq=False)
class Plan:
    """What is known of every node, by name.

    Attributes
    ----------
    network : whose nodes they are.
    maps : name of an Affine -> its maps, those of `network` or matrices that equal them on the rows kept.
    patterns : the same with ones for weights.
    grain : how many neurons in a row are kept or dropped together.
    constant : which values are constants to be folded.
    value : the constants, zero elsewhere.
    base : name of an Affine -> its bias with the constants it reads folded in.
    keep : which values the smaller network needs.
    column : which Affines have a value of their own: another Affine reads it, or it is the output.
    """

    network: Network
    maps: dict[str, tuple[LinearMap, ...]]
    patterns: dict[str, tuple[LinearMap, ...]]
    grain: Mapping[str, int]
    constant: dict[str, BoolArray] = field(default_factory=dict)
    value: dict[str, FloatArray] = field(default_factory=dict)
    base: dict[str, FloatArray] = field(default_factory=dict)
    keep: dict[str, BoolArray] = field(default_factory=dict)
    column: set[str] = field(default_factory=set)

    @property
    def drops(self) -> bool:
        """Whether anything can be folded or dropped."""
        return any(mask.any() for mask in self.constant.values()) or not all(
            mask.all() for name, mask in self.keep.items() if name != INPUT
        )


def make_plan(
    network: Network,
    domain: Domain,
    bounds: PreactivationBounds,
    patterns: Mapping[str, tuple[LinearMap, ...]],
    grain: Mapping[str, int],
) -> Plan:
    """Sweep forward for the constants and backward for what is needed."""
    plan = Plan(network, {node.name: node.maps for node in network.affines}, dict(patterns), grain)
    _find_constants(plan, domain, bounds)
    _find_needed(plan)
    return plan


def grains(network: Network, ignored: Collection[tuple[str, int]] = ()) -> dict[str, int]:
    """Return how many neurons of each node go together because of convolutions.

    Parameters
    ----------
    ignored : (name of an Affine, number of its map) of convolutions that will not stay ones.
    """
    grain = {INPUT: 1} | {node.name: 1 for node in network.nodes}
    sizes = {INPUT: network.input_size} | {node.name: node.size for node in network.nodes}

    def join(name: str, pixels: int) -> None:
        present = grain[name]
        grain[name] = max(present, pixels) if 1 in (present, pixels) or present == pixels else sizes[name]

    for node in network.affines:
        for k, (source, linear_map) in enumerate(zip(node.inputs, node.maps, strict=True)):
            if isinstance(linear_map, Convolution) and (node.name, k) not in ignored:
                grouped = linear_map.groups > 1
                join(source, linear_map.in_size if grouped else linear_map.in_size // linear_map.in_shape[0])
                join(node.name, linear_map.out_size if grouped else linear_map.out_size // linear_map.out_shape[0])
    for relu in network.relus:
        join(relu.name, grain[relu.input])
    return grain


def _find_constants(plan: Plan, domain: Domain, bounds: PreactivationBounds) -> None:
    def settle(name: str, constant: BoolArray, value: FloatArray) -> None:
        plan.constant[name] = _grouped(constant, plan.grain[name], np.logical_and)
        plan.value[name] = np.where(plan.constant[name], value, 0.0)

    settle(INPUT, domain.lower == domain.upper, domain.lower)
    unvarying: dict[str, BoolArray] = {}
    for node in plan.network.nodes:
        if isinstance(node, Relu):
            inactive = bounds.upper[node.name] <= 0.0
            value = np.where(inactive, 0.0, np.maximum(plan.base[node.input], 0.0))
            settle(node.name, unvarying[node.input] | inactive, value)
            continue
        base, varying = node.bias, np.zeros(node.size)
        parts = zip(node.inputs, node.maps, plan.patterns[node.name], strict=True)
        for source, linear_map, of_pattern in parts:
            constant = plan.constant[source]
            if plan.value[source].any():
                base = base + linear_map.apply(plan.value[source][None])[0]
            varying = varying + fan_in(of_pattern, ~constant)
        plan.base[node.name] = base
        unvarying[node.name] = varying == 0.0
        settle(node.name, unvarying[node.name], base)


def _find_needed(plan: Plan) -> None:
    network = plan.network
    read = {name: np.zeros(mask.size, dtype=bool) for name, mask in plan.constant.items()}
    rows = {node.name: np.zeros(node.size, dtype=bool) for node in network.affines}
    for node in reversed(network.nodes):
        kept = _grouped(read[node.name] & ~plan.constant[node.name], plan.grain[node.name], np.logical_or)
        if isinstance(node, Relu):
            rows[node.input] |= kept
            plan.keep[node.name] = kept
            continue
        if node.name == network.output:
            kept = np.ones(node.size, dtype=bool)
        if kept.any():
            plan.column.add(node.name)
        kept = _grouped(kept | rows[node.name], plan.grain[node.name], np.logical_or)
        plan.keep[node.name] = kept
        for source, of_pattern in zip(node.inputs, plan.patterns[node.name], strict=True):
            read[source] |= fan_out(of_pattern, kept) > 0.0
    plan.keep[INPUT] = _grouped(read[INPUT] & ~plan.constant[INPUT], plan.grain[INPUT], np.logical_or)


def _grouped(mask: BoolArray, grain: int, how: np.ufunc) -> BoolArray:
    """Return `mask` with all of each group set where all (`logical_and`) or any (`logical_or`) of it is."""
    if grain == 1:
        return mask
    return np.repeat(how.reduce(mask.reshape(-1, grain), axis=1), grain)
