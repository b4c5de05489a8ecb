"""Random dense networks, the same for every tool; needs NumPy only, as it runs under both interpreters."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def random_weights(widths: list[int], seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return weight matrices (out, in) and biases of a multilayer perceptron, He-scaled, float64."""
    generator = np.random.default_rng(seed)
    pairs = list(pairwise(widths))
    weights = [generator.normal(scale=(2.0 / inner) ** 0.5, size=(outer, inner)) for inner, outer in pairs]
    biases = [generator.normal(scale=0.1, size=outer) for _, outer in pairs]
    return weights, biases


def weight_count(widths: list[int]) -> int:
    """Return the number of weights, biases left out."""
    return sum(inner * outer for inner, outer in pairwise(widths))
