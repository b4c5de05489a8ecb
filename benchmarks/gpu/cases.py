"""What is measured: calls on data like the real one, and the least time the hardware would need for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from netopt.pruning.harp.select import Selector, keep_largest
from netopt.pruning.harp.straight_through import apply_mask, straight_through
from netopt.subset_sum.pairs import best_pair
from netopt.subset_sum.two_flip import best_two_flip

#: Weights of VGG16 for 32 x 32 images, with three fully connected layers: 15.2 million.
_VGG16_CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
_VGG16_DENSE = (512, 512, 512, 10)
_KEEP = 0.01


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table.

    Attributes
    ----------
    name : what is done, on what.
    work : the call on the GPU.
    on_cpu : the same call on NumPy arrays, None where that takes minutes.
    traffic : bytes that have to be moved.
    instructions : float32 instructions that have to be issued.
    amount, unit : what is done in a call, for the rate.
    baseline : another way to the same result, on the GPU.
    """

    name: str
    work: Callable[[], object]
    on_cpu: Callable[[], object] | None
    traffic: float
    instructions: float
    amount: float
    unit: str
    baseline: Callable[[], object] | None = None


def vgg16_offsets() -> np.ndarray:
    """Return where each layer of VGG16 begins among all weights."""
    convolutions = [9 * a * b for a, b in pairwise(_VGG16_CHANNELS)]
    dense = [a * b for a, b in pairwise(_VGG16_DENSE)]
    return np.concatenate([[0], np.cumsum([*convolutions, *dense])])


def cases(cupy: Any) -> Iterator[Case]:
    """Yield all cases, one after the other so that one case's arrays are in memory at a time."""
    yield mask_step(cupy)
    yield straight_through_backward(cupy)
    for restarts in (1, 8, 32):
        yield two_flip_sweep(cupy, problems=256, restarts=restarts, size=1024)
    for problems, size, dimension in ((1, 16384, 9), (256, 4096, 9), (1, 16384, 36)):
        yield pair_scoring(cupy, problems, size, dimension)


def mask_step(cupy: Any) -> Case:
    """Find the largest scores of every layer, and the weights under that mask."""
    rng, offsets = np.random.default_rng(0), vgg16_offsets()
    count = int(offsets[-1])
    scores, weights = rng.normal(size=(2, count)).astype(np.float32)
    keep = np.maximum(1, (np.diff(offsets) * _KEEP).astype(np.int64))
    device_scores, device_weights = cupy.asarray(scores), cupy.asarray(weights)
    selector = Selector(offsets)  # as a training holds one
    return Case(
        name=f"threshold and mask, VGG16, {count} weights",
        work=lambda: apply_mask(device_weights, selector.keep_largest(device_scores, keep)),
        on_cpu=lambda: apply_mask(weights, keep_largest(scores, offsets, keep)),
        traffic=16.0 * count,
        instructions=0.0,
        amount=count,
        unit="weights",
        baseline=_sort_each_layer(device_scores, device_weights, offsets, keep),
    )


def _sort_each_layer(scores: Any, weights: Any, offsets: np.ndarray, keep: np.ndarray) -> Callable[[], object] | None:
    """Return the usual way: torch sorts the scores of every layer for its threshold."""
    import torch

    if not torch.cuda.is_available():
        return None
    own_scores, own_weights = torch.from_dlpack(scores), torch.from_dlpack(weights)
    layers = [slice(int(a), int(b)) for a, b in pairwise(offsets)]

    def work() -> list[Any]:
        masked = []
        for layer, count in zip(layers, keep.tolist(), strict=True):
            _, order = own_scores[layer].abs().sort(descending=True)
            mask = torch.zeros_like(own_scores[layer])
            mask[order[:count]] = 1.0
            masked.append(own_weights[layer] * mask)
        return masked

    return work


def straight_through_backward(cupy: Any) -> Case:
    """Take gradients of scores and rates from those of the masked weights."""
    rng, offsets = np.random.default_rng(1), vgg16_offsets()
    count = int(offsets[-1])
    arrays = tuple(rng.normal(size=(3, count)).astype(np.float32))
    on_device = tuple(cupy.asarray(array) for array in arrays)
    return Case(
        name=f"straight-through backward, VGG16, {count} weights",
        work=lambda: straight_through(*on_device, offsets),
        on_cpu=lambda: straight_through(*arrays, offsets),
        traffic=16.0 * count,
        instructions=0.0,
        amount=count,
        unit="weights",
    )


def two_flip_sweep(cupy: Any, problems: int, restarts: int, size: int) -> Case:
    """Look for the best one or two flips of every subset; the upper half of the Gram matrices has to be read."""
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(problems, size, 9)).astype(np.float32)
    sign = np.where(rng.random((problems, restarts, size)) < 0.5, 1, -1).astype(np.float32)
    delta = rng.normal(size=sign.shape).astype(np.float32)
    moved = cupy.asarray(vectors)
    gram, device_delta, device_sign = moved @ moved.swapaxes(1, 2), cupy.asarray(delta), cupy.asarray(sign)
    on_host = gram.get()
    pairs = problems * restarts * size * (size + 1) / 2
    return Case(
        name=f"2-flip sweep, n = {size}, {problems} problems, {restarts} subsets each",
        work=lambda: best_two_flip(gram, device_delta, device_sign, False),
        on_cpu=(lambda: best_two_flip(on_host, delta, sign, False)) if restarts == 1 else None,
        traffic=problems * 2.0 * size * (size + 1),
        instructions=4.0 * pairs,
        amount=pairs,
        unit="pairs",
    )


def pair_scoring(cupy: Any, problems: int, size: int, dimension: int) -> Case:
    """Look for the closest of all pairs of two lists."""
    rng = np.random.default_rng(3)
    left, right = rng.normal(size=(2, problems, size, dimension)).astype(np.float32)
    target = rng.normal(size=(problems, dimension)).astype(np.float32)
    moved = [cupy.asarray(array) for array in (left, right, target)]
    pairs = float(problems) * size * size
    return Case(
        name=f"pair scoring, D = {dimension}, {problems} x {size} x {size}",
        work=lambda: best_pair(*moved),
        on_cpu=(lambda: best_pair(left, right, target)) if problems == 1 else None,
        traffic=8.0 * problems * size * dimension,
        instructions=(dimension + 1) * pairs,
        amount=pairs,
        unit="pairs",
    )
