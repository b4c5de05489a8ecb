r"""Scores of single weights: the lowest go first.

* magnitude: :math:`|w_{ij}|`.
* domain-aware: :math:`|w_{ij}| \,(u_j - l_j)`, the width over the domain of what flows through the weight: what a
  solver sees of it. It is zero where the neuron the weight leads to is inactive on the whole domain. A kernel's
  weight counts the mean over its positions.
* random: uniform.
* LAMP: :math:`w^2 / \sum \{v^2 : v^2 \ge w^2\}` within the map, compared over all maps (Lee, Park, Mo, Ahn, Shin,
  *Layer-adaptive sparsity for the magnitude-based pruning*, ICLR 2021, equation 6). A map's
  largest weight scores 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netopt.arrays import FloatArray
from netopt.pruning.request import Request
from netopt.pruning.weights import uses

Scores = Mapping[str, FloatArray]


def magnitude(request: Request) -> Scores:
    """Score by size."""
    return {part.key: np.abs(part.weights) for part in request.parts}


def random(request: Request) -> Scores:
    """Score at random."""
    return {part.key: request.generator.random(part.weights.shape) for part in request.parts}


def domain_aware(request: Request) -> Scores:
    """Score by size times the width of what flows through."""
    assert request.ranges is not None
    scores: dict[str, FloatArray] = {}
    for part in request.parts:
        linear_map = part.linear_map
        inactive = request.ranges.inactive.get(part.node.name)
        active = np.ones(linear_map.out_size) if inactive is None else (~inactive).astype(np.float64)
        positions = linear_map.out_size / part.weights.shape[0] if part.weights.ndim == 4 else 1.0
        scores[part.key] = np.abs(part.weights) * uses(
            linear_map, request.ranges.width[part.source], active / positions
        )
    return scores


def lamp(request: Request) -> Scores:
    """Score by layer-adaptive magnitude."""
    scores: dict[str, FloatArray] = {}
    for part in request.parts:
        squares = np.square(part.weights).ravel()
        order = np.argsort(-squares, kind="stable")
        larger = np.cumsum(squares[order])  # the weight itself and all that come before it
        value = np.empty(squares.size)
        value[order] = np.divide(squares[order], larger, out=np.zeros(squares.size), where=larger > 0.0)
        scores[part.key] = value.reshape(part.weights.shape)
    return scores
