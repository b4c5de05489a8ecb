r"""Tickets of a given network: the units whose summed contributions to the next layer come closest to those of all.

A unit u (a neuron, or a filter of a convolution) that stays adds :math:`v_u` to the pre-activations that read it, one
that goes adds a constant, which the bias takes on average. Of every layer in turn k units stay,

.. math:: \min_{|S| = k} \Big| z - \sum_{u \in S} v_u \Big|^2 ,

a multidimensional subset sum (`netopt.subset_sum`): z is what *all* units of the *dense* network contribute, v what
those of the network pruned *so far* do, so that a layer makes up for the errors of those before it. Contributions are
vectors over a sample of the domain, weighted by bounds (`netopt.pruning.contribution`). With a price p in place of k,

.. math:: \min_S \Big| z - \sum_{u \in S} v_u \Big|^2 \Big/ |z|^2 + p \, |S| / n .

The subset sums of structured tickets are those of da Cunha, d'Amore and Natale, "Polynomially over-parameterized
convolutional neural networks contain structured strong winning lottery tickets" (NeurIPS 2023), turned round: a
trained network takes the place of the random one, and what it computes that of the target.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.network.network import INPUT
from netopt.network.nodes import Affine
from netopt.pruning.agree import adapted, forget, readers_at_last
from netopt.pruning.contribution import contributions
from netopt.pruning.request import Request
from netopt.pruning.sample import Sample
from netopt.pruning.select import count_removed
from netopt.pruning.structured import Layer, unit_layers, weights_of_units
from netopt.pruning.weights import is_structural
from netopt.subset_sum.local_search import descend, of_size, tabu_search

#: Turns of factor and subset, and steps of tabu search in each.
_FACTORS = 6
_FLIPS = 50


def keep_ticket(request: Request) -> dict[str, BoolArray]:
    """Return the weights of the units chosen: the same rate in every layer, or as many as their price allows."""
    network, sample = request.network, request.known_sample
    layers = unit_layers(network, request.parts)
    by_node = {layer.node.name: layer for layer in layers}
    last_readers = readers_at_last(network)
    dense, thin = {INPUT: sample.points}, {INPUT: sample.points}
    kept: dict[str, BoolArray] = {}
    for node in network.nodes:
        dense[node.name] = node.value(dense, len(sample.points))
        if isinstance(node, Affine):
            counts = request.known_ranges.influence[node.name] if request.rescale else None
            _, thin[node.name], _ = adapted(node, node.maps, thin, dense[node.name], sample, counts)
        else:
            thin[node.name] = node.value(thin, len(sample.points))
        if isinstance(node, Affine) and node.name in by_node:
            layer = by_node[node.name]
            without = _without_units(node, thin, dense[node.name], sample)
            stays = _choose(request, layer, dense[node.name], thin[node.name], without)
            kept[node.name] = stays
            thin[node.name] = np.where(stays[layer.unit], thin[node.name], without)
        forget(node, last_readers, dense, thin)
    return weights_of_units(request.parts, layers, [kept[layer.node.name] for layer in layers])


def _without_units(node: Affine, thin: Mapping[str, FloatArray], target: FloatArray, sample: Sample) -> FloatArray:
    """Return the pre-activations of units that go: what skips still bring, and the dense average."""
    value = np.zeros_like(target)
    for source, linear_map in zip(node.inputs, node.maps, strict=True):
        if is_structural(linear_map):
            value = value + linear_map.apply(thin[source])
    return value + sample.mean(target - value)


def _choose(request: Request, layer: Layer, dense: FloatArray, thin: FloatArray, without: FloatArray) -> BoolArray:
    """Return which units stay, (count,), from the pre-activations, (points, size): dense, all units kept, none."""
    removed = count_removed(request.rate, layer.count)
    if not removed and not request.priced:
        return np.ones(layer.count, dtype=bool)
    vectors, target = contributions(request, layer, dense, thin, without)
    if not request.priced:
        return closest_sum(vectors, target, size=layer.count - removed, rescale=request.rescale)
    kept = closest_sum(vectors, target, price=request.rate / layer.count, rescale=request.rescale)
    return kept if kept.any() else closest_sum(vectors, target, size=1, rescale=request.rescale)


def closest_sum(
    vectors: FloatArray, target: FloatArray, *, size: int | None = None, price: float = 0.0, rescale: bool = False
) -> BoolArray:
    """Return which vectors, (n, D), sum up closest to a target, (D,).

    D is larger than n, so no relaxation or beam tells more than the Gram matrix: tabu search by flips from two ends,
    all vectors taken out one by one and none put in one by one. Factors and subsets take turns, each the best for the
    other, from the factors 1 and, with a size, n / size.

    Parameters
    ----------
    size : how many to choose; None for any number.
    price : what each one costs, as a share of the target's squared length.
    rescale : whether a multiple of the sum is to be close.
    """
    scale = float(np.abs(vectors).max(initial=0.0)) or 1.0
    vectors, target = vectors / scale, target / scale
    cost = price * float(target @ target)
    factor = np.array([1.0, vectors.shape[0] / size] if rescale and size else [1.0])
    gram, pull = vectors @ vectors.T, vectors @ target
    subsets: BoolArray = np.zeros((factor.size, 2, vectors.shape[0]), dtype=bool)
    subsets[:, 1] = True
    least = np.inf
    best: BoolArray = subsets[0, 0]
    fixed = size is not None
    for turn in range(_FACTORS if rescale else 1):
        scaled = (factor[:, None, None] ** 2 * gram, factor[:, None] * pull - 0.5 * cost)
        if size is not None and not turn:
            subsets = of_size(*scaled, subsets, size)
        subsets = descend(*scaled, tabu_search(*scaled, subsets, fixed_size=fixed, flips=_FLIPS), fixed_size=fixed)
        sums = subsets @ vectors
        along, square = sums @ target, np.square(sums).sum(axis=-1)
        factors = np.divide(along, square, out=np.ones(along.shape), where=(square > 0.0) & (along > 0.0) & rescale)
        errors = np.square(target - factors[..., None] * sums).sum(axis=-1) + cost * subsets.sum(axis=-1)
        chosen = np.unravel_index(errors.argmin(), errors.shape)
        if not errors[chosen] < least:
            break
        least, best = float(errors[chosen]), subsets[chosen]
        factor = np.take_along_axis(factors, errors.argmin(axis=-1)[:, None], axis=-1)[:, 0]
    return best
