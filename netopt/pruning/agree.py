r"""Biases, and factors, with which a sparse network agrees with the dense one.

Node by node, with h the dense values a layer reads, g the sparse ones, W and V the dense and the pruned weights,

.. math:: b' = b + E[W h - V g],

so that every pre-activation has the dense average over a sample, whatever earlier layers lost; at a sample of one point
both networks are equal there. With `rescale` the weights kept are multiplied by one factor a layer, the least-squares
one over the sample,

.. math:: \alpha = \sum_o \omega_o^2 \mathrm{Cov}((W h)_o, (V g)_o) \Big/ \sum_o \omega_o^2 \mathrm{Var}((V g)_o) ,

:math:`\omega` the influence of each pre-activation on the outputs (`netopt.pruning.influence`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netopt.arrays import FloatArray
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Node, Relu
from netopt.pruning.sample import Sample, at_point
from netopt.pruning.weights import is_structural

#: Factors this close to 1 are rounding.
_ROUNDING = 1e-9


def agree(
    network: Network, sparse: Network, sample: Sample, influence: Mapping[str, FloatArray] | None = None
) -> tuple[Network, dict[str, float]]:
    """Return `sparse` with the biases of a network that agrees with `network` on average over a sample, and factors.

    Parameters
    ----------
    sparse : `network` with some of its weights at zero; nodes of the same names, inputs and sizes.
    influence : name of an Affine -> (size,) how much its values count; weights kept are then rescaled layer by layer.
        None leaves the weights as they are.

    Returns
    -------
    The network, and the name of each Affine -> what its weights were multiplied by, where it is not 1.
    """
    dense, thin = {INPUT: sample.points}, {INPUT: sample.points}
    last_readers = readers_at_last(network)
    nodes: list[Node] = []
    factors: dict[str, float] = {}
    for node, small in zip(network.nodes, sparse.nodes, strict=True):
        dense[node.name] = node.value(dense, len(sample.points))
        if isinstance(small, Relu) or isinstance(node, Relu):
            nodes.append(small)
            thin[node.name] = small.value(thin, len(sample.points))
            forget(node, last_readers, dense, thin)
            continue
        counts = None if influence is None else influence[node.name]
        made, thin[node.name], factor = adapted(node, small.maps, thin, dense[node.name], sample, counts)
        nodes.append(made)
        if factor != 1.0:
            factors[node.name] = factor
        forget(node, last_readers, dense, thin)
    return sparse.with_nodes(tuple(nodes)), factors


def agree_at(network: Network, sparse: Network, x: FloatArray) -> Network:
    """Return `sparse` with the biases of a network that agrees with `network` at a point (n,), neuron by neuron."""
    return agree(network, sparse, at_point(x))[0]


def readers_at_last(network: Network) -> dict[str, str]:
    """Return the last node that reads each value: name -> name."""
    return {source: node.name for node in network.nodes for source in node.inputs}


def forget(node: Node, last_readers: Mapping[str, str], *values: dict[str, FloatArray]) -> None:
    """Drop the values that `node` was the last to read."""
    for source in node.inputs:
        if last_readers[source] == node.name:
            for of in values:
                of.pop(source, None)


def adapted(
    node: Affine,
    maps: tuple[LinearMap, ...],
    values: Mapping[str, FloatArray],
    target: FloatArray,
    sample: Sample,
    influence: FloatArray | None,
) -> tuple[Affine, FloatArray, float]:
    """Return an Affine with pruned maps that agrees with its target on average, its value and its weights' factor.

    Parameters
    ----------
    maps : the maps of `node`, pruned.
    values : sparse values of the nodes read, (count, size) each.
    target : (count, size) the dense value.
    influence : (size,) how much each value counts for the factor; None for the factor 1.

    Returns
    -------
    The node, its value (count, size), and what its prunable maps were multiplied by.
    """
    factor = 1.0
    given = [linear_map.apply(values[source]) for source, linear_map in zip(node.inputs, maps, strict=True)]
    if influence is not None:
        learned = [k for k, linear_map in enumerate(node.maps) if not is_structural(linear_map)]
        factor = _factor([given[k] for k in learned], target - _sum(given, set(learned), target), sample, influence)
        maps = tuple(m.scale_rows(np.full(m.out_size, factor)) if k in learned else m for k, m in enumerate(maps))
        given = [factor * value if k in learned else value for k, value in enumerate(given)]
    total: FloatArray = np.broadcast_to(node.bias, target.shape)
    for value in given:  # in the order of the dense value, so that what lost nothing keeps its bias to the last bit
        total = total + value
    shift = sample.mean(target - total)
    return Affine(node.name, node.inputs, maps, node.bias + shift), total + shift, factor


def _sum(given: list[FloatArray], without: set[int], target: FloatArray) -> FloatArray:
    """Return the sum of all values but some."""
    left = [value for k, value in enumerate(given) if k not in without]
    return np.sum(left, axis=0) if left else np.zeros_like(target)


def _factor(learned: list[FloatArray], target: FloatArray, sample: Sample, influence: FloatArray) -> float:
    """Return the factor that brings the sum of the learned maps' values closest to the target; 1 where none is."""
    if not learned:
        return 1.0
    count = np.sqrt(sample.weights)[:, None] * (influence / max(float(influence.max(initial=0.0)), 1e-300))
    value = np.sum(learned, axis=0)
    value = (value - sample.mean(value)) * count
    wanted = (target - sample.mean(target)) * count
    scale = float(np.abs(value).max(initial=0.0))
    if not 0.0 < scale < np.inf:
        return 1.0
    value, wanted = value / scale, wanted / scale
    factor = float(np.vdot(wanted, value) / np.vdot(value, value))
    return factor if np.isfinite(factor) and factor > 0.0 and abs(factor - 1.0) > _ROUNDING else 1.0
