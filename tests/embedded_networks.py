"""Small networks that tests embed in models."""

from __future__ import annotations

import numpy as np
from activation_patterns import Perceptron, random_perceptron

from netopt.network.build import from_weights

#: |x|
ABSOLUTE = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])


def perceptron_of(seed: int, sizes=(3, 4, 3, 2)) -> Perceptron:
    return random_perceptron(np.random.default_rng(seed), list(sizes))
