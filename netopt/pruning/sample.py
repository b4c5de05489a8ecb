r"""Points of a domain that a network is judged at: spread over it, and on the way to where outputs are largest.

Uniform points of a box with many inputs are all alike: each lies near the values at the centre, while a search ends at
vertices where some output is extreme. So the sample has two groups of equal number, points spread over the domain and
points :math:`(1 - t) x + t v`, t uniform, between one of those and the vertex v that the gradient of a random
combination of the outputs points to. Weights make the groups count alike: the weighted variance of the outputs within
each is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray
from netopt.network.gradient import value_and_gradient
from netopt.network.network import Network
from netopt.specification.domain import Domain

#: Points in a group at most, and vertices looked for; a polytope solves one linear program for each of these.
_POINTS = 1000
_VERTICES = 200
#: Values of all nodes at the points of one group, about: fewer points for networks with many neurons.
_VALUES = 20_000_000
_FEWEST = 100


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Weighted points.

    Attributes
    ----------
    points : (count, n) members of the domain.
    weights : (count,) positive, of sum 1.
    """

    points: FloatArray
    weights: FloatArray

    def mean(self, values: FloatArray) -> FloatArray:
        """Return the weighted average of values at the points: (count, size) -> (size,)."""
        average: FloatArray = self.weights @ values
        return average


def at_point(x: FloatArray) -> Sample:
    """Return the sample that is one point (n,)."""
    return Sample(x[None], np.ones(1))


def draw_sample(network: Network, domain: Domain, generator: np.random.Generator) -> Sample:
    """Return both groups of points of a domain, each weighted by the inverse of what the outputs vary in it."""
    count = min(_POINTS, max(_FEWEST, _VALUES // sum(node.size for node in network.nodes)))
    spread = domain.sample(generator, count)
    begins = spread[: min(_VERTICES, count)]
    combinations = generator.standard_normal((begins.shape[0], network.output_size))
    vertices = domain.maximizer(value_and_gradient(network, begins, combinations)[1])
    ends = vertices[np.arange(count) % vertices.shape[0]]
    share = np.ones((count, 1)) if domain.integral.any() else generator.random((count, 1))  # integers stay integers
    groups = (spread, (1.0 - share) * spread + share * ends)
    variances = np.array([_variance(network.forward(points)) for points in groups])
    largest = variances.max()
    weights = largest / np.maximum(variances, 1e-6 * largest) if 0.0 < largest < np.inf else np.ones(2)
    each = np.repeat(weights, count)
    return Sample(np.concatenate(groups), each / each.sum())


def _variance(values: FloatArray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.square(values - values.mean(axis=0)).sum(axis=1).mean())
