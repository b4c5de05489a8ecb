r"""From mask to sparse network.

A pruned row keeps its bias, and may get the *mean* of what it lost: with P the pruned weights and c the values at the
domain's centre,

.. math:: b_i' = b_i + \sum_{j \in P_i} w_{ij} c_j + (1 - \alpha) \sum_{j \notin P_i} w_{ij} c_j ,

:math:`\alpha` the factor that the mask multiplies the weights kept by (1 for most masks), so that
dense and sparse network agree at the centre, neuron by neuron.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netopt.arrays import FloatArray
from netopt.checks import check_kind
from netopt.errors import InputError
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Node
from netopt.pruning.mask import Mask
from netopt.pruning.weights import PrunableMap, prunable_maps, with_weights
from netopt.specification.domain import Domain


def apply_mask(network: Network, mask: Mask, means: Mapping[str, FloatArray] | None = None) -> Network:
    """Return the network without the weights a mask removes; nodes keep their names, sizes and order.

    Parameters
    ----------
    means : name of a node (or `INPUT`) -> (size,) values that stand for what flows through pruned weights (see
        `center_values`); their products go into the biases. None leaves the biases as they are.

    Raises
    ------
    InputError
        The mask is not one of this network, or a mean is missing or of the wrong size.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.network.build import from_weights
    >>> from netopt.pruning.apply import apply_mask
    >>> from netopt.pruning.mask import Mask
    >>> network = from_weights([[[2.0, 1.0]]], [[0.5]])
    >>> mask = Mask({"output.affine": np.array([[True, False]])}, "by hand", 0.5, network.sha256)
    >>> apply_mask(network, mask, {"input": np.array([3.0, 4.0])}).forward([1.0, 9.0]).tolist()
    [6.5]
    """
    check_kind(mask, Mask, "the mask", "make one with netopt.prune, or read one with netopt.Mask.load")
    mask.require(network)
    pruned: dict[str, list[PrunableMap]] = {}
    for part in prunable_maps(network):
        pruned.setdefault(part.node.name, []).append(part)
    nodes: tuple[Node, ...] = tuple(
        _without(node, pruned[node.name], mask, means) if isinstance(node, Affine) and node.name in pruned else node
        for node in network.nodes
    )
    return network.with_nodes(nodes)


def center_values(network: Network, domain: Domain) -> dict[str, FloatArray]:
    """Return the value of every node (and `INPUT`) at the domain's centre: name -> (size,)."""
    return node_values(network, domain.center)


def node_values(network: Network, x: FloatArray) -> dict[str, FloatArray]:
    """Return the value of every node (and `INPUT`) at one point: name -> (size,)."""
    values = {INPUT: x[None]}
    for node in network.nodes:
        values[node.name] = node.value(values, 1)
    return {name: value[0] for name, value in values.items()}


def _without(node: Affine, parts: list[PrunableMap], mask: Mask, means: Mapping[str, FloatArray] | None) -> Affine:
    maps, bias = list(node.maps), node.bias
    for part in parts:
        kept, factor = mask.kept[part.key], mask.factors.get(part.key, 1.0)
        maps[part.index] = with_weights(part.linear_map, np.where(kept, factor * part.weights, 0.0))
        if means is not None:
            lost = with_weights(part.linear_map, np.where(kept, (1.0 - factor) * part.weights, part.weights))
            bias = bias + lost.apply(_mean(means, part)[None])[0]
    return Affine(node.name, node.inputs, tuple(maps), bias)


def _mean(means: Mapping[str, FloatArray], part: PrunableMap) -> FloatArray:
    value = means.get(part.source)
    if value is None or value.shape != (part.linear_map.in_size,):
        found = "none" if value is None else f"an array of shape {value.shape}"
        raise InputError(
            f"{part.key!r} needs means of {part.source!r}, shape ({part.linear_map.in_size},); {found} was given"
        )
    return value
