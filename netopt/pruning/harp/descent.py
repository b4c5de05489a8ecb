"""Stochastic gradient descent with momentum, whose whole memory is one tensor."""

from __future__ import annotations

import math

from netopt.bounds.torch_maps import Tensor

_MOMENTUM = 0.9


def step(value: Tensor, velocity: Tensor, gradient: Tensor, rate: float, decay: float = 0.0) -> None:
    """Move a tensor against a gradient and towards zero, in place; the velocity remembers earlier steps."""
    velocity.mul_(_MOMENTUM).add_(gradient)
    if decay:
        velocity.add_(value, alpha=decay)
    value.sub_(velocity, alpha=rate)


def cosine(epoch: int, epochs: int) -> float:
    """Return the factor of the learning rate in an epoch: from 1 towards 0 along half a cosine."""
    return 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))
