"""The yardstick: a plain 64-start sign-gradient ascent in float64, restarted until the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from netopt.network.gradient import value_and_gradient
from netopt.network.network import Network
from netopt.specification.domain import Domain

STARTS, ITERATIONS, STEP = 64, 100, 0.1


def sign_ascent(
    network: Network, domain: Domain, weights: np.ndarray, end: float, note: Callable[[float], None]
) -> None:
    """Climb from random members along the signs of the gradient, projected, with steps that shrink linearly."""
    generator = np.random.default_rng(0)
    width = domain.upper - domain.lower
    cotangent = np.tile(weights, (STARTS, 1))
    while True:
        x = domain.sample(generator, STARTS)
        for k in range(ITERATIONS):
            y, gradient = value_and_gradient(network, x, cotangent)
            note(float((y @ weights).max()))
            if time.monotonic() >= end:
                return
            x = domain.project(x + STEP * (1.0 - k / ITERATIONS) * width * np.sign(gradient))
