"""Masked weights and the straight-through gradient on a GPU (straight_through_cuda.cu says what bounds them)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from netopt.arrays import IntArray, array_namespace
from netopt.gpu.kernels import Kernels
from netopt.pruning.harp.pieces import THREADS, TILE, pieces_of
from netopt.pruning.harp.select_cuda import as_bits

KERNELS = Kernels(Path(__file__).with_suffix(".cu"))


def apply_mask(weights: Any, mask: Any) -> Any:
    """Return the weights under a mask, as `netopt.pruning.harp.straight_through.apply_mask` does."""
    library = array_namespace(weights)
    result = library.empty(weights.size, "u4")
    bits, kept = as_bits(library, weights, "weights"), library.ascontiguousarray(mask).view("u1")
    KERNELS.launch("apply_mask", -(-weights.size // TILE), THREADS, (bits, kept, result, np.int64(weights.size)))
    return result.view("f4")


def straight_through(gradient: Any, weights: Any, scores: Any, offsets: IntArray) -> tuple[Any, Any]:
    """Return both gradients, as `netopt.pruning.harp.straight_through.straight_through` does."""
    library = array_namespace(weights)
    cut = pieces_of(library, offsets)
    layers = offsets.size - 1
    score_gradient, sums = library.empty(weights.size, "f4"), library.empty(cut.count, "f8")
    rate_gradient = library.empty(layers, "f8")
    given = [as_bits(library, array, "gradients, weights and scores") for array in (gradient, weights, scores)]
    found = (np.int64(weights.size), cut.begin, cut.end, score_gradient, sums)
    KERNELS.launch("straight_through", cut.count, THREADS, (*given, *found))
    KERNELS.launch("sum_pieces", layers, THREADS, (sums, cut.first, rate_gradient))
    return score_gradient, rate_gradient
