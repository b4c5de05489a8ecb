r"""Scores of single weights: the lowest go first.

* magnitude: :math:`|w_{ij}|`.
* domain-aware: :math:`|w_{ij}| \,(u_j - l_j)\, s_i`: the width over the domain of what flows through the weight, times
  the influence of the neuron it leads to on the outputs (`netopt.pruning.influence`): what its removal may change once
  its mean is folded. It is zero for weights into neurons that are inactive on the whole domain and out of constant
  ones. A kernel's weight counts the sum over its positions. Being in units of the outputs, these scores compare
  across maps.
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
    """Score by what the removal may change at the outputs."""
    ranges = request.known_ranges
    with np.errstate(under="ignore", over="ignore"):
        return {
            part.key: np.abs(part.weights)
            * uses(part.linear_map, ranges.width[part.source], ranges.influence[part.node.name])
            for part in request.parts
        }


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
