r"""Tickets of a given network: the units whose summed contributions to the next layer come closest to those of all.

A unit u (a neuron, or a filter of a convolution) that stays adds :math:`v_u` to the pre-activations that read it, one
that goes adds a constant, which the bias takes on average. Of every layer in turn k units stay,

.. math:: \min_{|S| = k} \Big| z - \sum_{u \in S} v_u \Big|^2 ,

a multidimensional subset sum (`netopt.subset_sum`): z is what *all* units of the *dense* network contribute, v what
those of the network pruned *so far* do, so that a layer makes up for the errors of those before it. Contributions are
vectors over a sample of the domain, weighted by bounds (`netopt.pruning.contribution`).

The subset sums of structured tickets are those of da Cunha, d'Amore and Natale, "Polynomially over-parameterized
convolutional neural networks contain structured strong winning lottery tickets" (NeurIPS 2023), turned round: a
trained network takes the place of the random one, and what it computes that of the target.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.network.network import INPUT
from netopt.network.nodes import Affine
from netopt.pruning.agree import adapted, forget, readers_at_last, value_of
from netopt.pruning.contribution import ENTRIES, backward_signs
from netopt.pruning.request import Request
from netopt.pruning.sample import Sample
from netopt.pruning.select import count_removed, keep_best
from netopt.pruning.structured import Layer, unit_layers, weights_of_units
from netopt.pruning.weights import is_structural
from netopt.subset_sum.two_flip import best_two_flip

#: Subsets tried for as many factors, each the best for the subset before.
_FACTORS = 4


def keep_ticket(request: Request) -> dict[str, BoolArray]:
    """Return the weights of the units chosen, the same rate in every layer."""
    network, sample = request.network, request.known_sample
    layers = unit_layers(network, request.parts)
    by_node = {layer.node.name: layer for layer in layers}
    last_readers = readers_at_last(network)
    dense, thin = {INPUT: sample.points}, {INPUT: sample.points}
    kept: dict[str, BoolArray] = {}
    for node in network.nodes:
        dense[node.name] = value_of(node, dense)
        if isinstance(node, Affine):
            counts = request.known_ranges.influence[node.name] if request.rescale else None
            _, thin[node.name] = adapted(node, node.maps, thin, dense[node.name], sample, counts)
        else:
            thin[node.name] = value_of(node, thin)
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
    if not removed:
        return np.ones(layer.count, dtype=bool)
    vectors, target = contributions(request, layer, dense, thin, without)
    return _search(vectors, target, layer.count - removed, request.rescale)


def contributions(
    request: Request, layer: Layer, dense: FloatArray, thin: FloatArray, without: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return what each unit adds by staying, (units, D), and what all are to add, (D,)."""
    sample, count = request.known_sample, layer.count
    repeats = math.ceil(ENTRIES * count / sample.weights.size)
    root = np.sqrt(np.tile(sample.weights, repeats))[:, None]
    signs = backward_signs(
        request.network, layer.relus, request.known_ranges.influence, root.shape[0], request.generator
    )
    absent = np.maximum(without, 0.0)
    vectors, target = np.zeros((root.shape[0], count)), np.zeros(root.shape[0])
    for carried in signs.values():
        weight = (root * carried).reshape(root.shape[0], count, -1)
        for value, result in ((thin, vectors), (dense, target)):
            change = np.maximum(value, 0.0) - absent
            change = np.tile(change - sample.mean(change), (repeats, 1)).reshape(weight.shape)
            if result is vectors:
                vectors += np.einsum("rup,rup->ru", weight, change)
            else:
                target += np.einsum("rup,rup->r", weight, change)
    return _turned(vectors, target)


def _turned(vectors: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return both in coordinates of the space they span: distances stay, and no more entries than units plus one."""
    both = np.concatenate([vectors, target[:, None]], axis=1)
    largest = float(np.abs(both).max(initial=0.0))
    if 0.0 < largest < np.inf:
        both = both / largest
    triangle: FloatArray = np.linalg.qr(both)[1] if both.shape[0] > both.shape[1] else both
    return np.ascontiguousarray(triangle[:, :-1].T), triangle[:, -1].copy()


def _search(vectors: FloatArray, target: FloatArray, size: int, rescale: bool) -> BoolArray:
    """Return which `size` vectors to add up, (n,); with `rescale`, so that some multiple of the sum is closest."""
    taken = _swapped(vectors, target, size)
    least = np.inf
    best = taken
    for _ in range(_FACTORS if rescale else 0):
        total = taken @ vectors
        factor = float(total @ target) / max(float(total @ total), 1e-300)
        error = float(np.square(target - factor * total).sum())
        if not (factor > 0.0 and error < least):
            break
        least, best = error, taken
        taken = _swapped(factor * vectors, target, size)
    return best


def _swapped(vectors: FloatArray, target: FloatArray, size: int) -> BoolArray:
    """Return the vectors that project farthest on the target, after swaps while one helps."""
    gram, correlation = vectors @ vectors.T, vectors @ target
    rounding = 1e-12 * (float(target @ target) + float(np.diag(gram).max()))
    taken = keep_best(correlation, vectors.shape[0] - size)
    while True:
        sign = np.where(taken, -1.0, 1.0)
        delta = np.diag(gram) - 2.0 * sign * (correlation - gram @ taken)
        change, first, second = best_two_flip(gram[None], delta[None, None], sign[None, None], fixed_size=True)
        if not change.item() < -rounding:
            return taken
        taken[[first.item(), second.item()]] ^= True
