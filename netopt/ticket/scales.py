r"""How many times as large every map is looked for: subsets of random vectors miss all targets by about the same.

ReLUs are positively homogeneous, so a ticket may hold ``s_v h_v`` at every node and divide once, at the output. What a
search misses a target z by hardly depends on z as long as sums of subsets reach it: about :math:`e = D^{1.5} / (5 n)`
an entry. So the larger the scale, the smaller the relative error, until targets are out of reach.

How far do sums of n NSN vectors :math:`v_i = |u_i| w_i` of D entries reach? Around the mean share p = 1/2 (k / n for
subsets of k) they span a zonotope of radius

.. math:: \max_{x \in [0, 1]^n} \sum_i (x_i - p) \langle v_i, d \rangle \approx
          n \, \mathrm{E} |u| \, \mathrm{E} w^+ = n / \pi \qquad (p = 1/2,\ |d| = 1),

about 4 p (1 - p) times that for other shares, with a standard deviation of :math:`1.2 / \sqrt n` of itself. Its centre
:math:`p \sum_i v_i` lies :math:`p \sqrt{n D}` from the origin, which leaves a normally distributed reach

.. math:: r \sim N(\rho n, \sigma^2), \qquad
          \rho^2 = \big(4 p (1 - p) / \pi\big)^2 - p^2 D / n , \qquad \sigma = 1.2 \cdot 4 p (1 - p) \sqrt n / \pi .

The scale f of a map with blocks :math:`K_t` is the power of two of least
:math:`\sum_t (D e^2 + \mathrm{E} \max(0, f |K_t| - r)^2) / f^2`, which is convex in 1 / f. Measured (maps of two
classifiers, D from 10 to 50, n from 32 to 256): on average 8 % more error than at the best power of two, where
:math:`\rho` is taken for 0.2 at least. There D / n is so large that no target is met, and what is found depends on the
scale but little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from netopt.arrays import FloatArray
from netopt.errors import InputError
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine
from netopt.ticket.layers import LearnedBias, LearnedMap, Scales, Scaling

#: Powers of two that scales stay between: float32 divides by them at the end.
_LARGEST = 96
_LEAST_REACH = 0.2  # of n
_DEVIATION = 1.2  # of the radius, over sqrt(n)
_MISSED = 0.2  # of D^1.5 / n, what an entry is off by
_FAR_BELOW = 8  # powers of two below the reach, where no target is out of it


def reach(width: int, entries: int, size: int | None = None) -> float:
    """Return how large a target may be for the sums of subsets of random vectors: the mean.

    Parameters
    ----------
    width : n.
    entries : D.
    size : of the subsets; None for any, which are about n / 2.

    Examples
    --------
    >>> from netopt.ticket.scales import reach
    >>> round(reach(512, 10) / 512, 3), round(reach(32, 10) / 32, 3)
    (0.311, 0.2)
    """
    share = _share(width, size)
    radius = 4.0 * share * (1.0 - share) / math.pi
    return width * math.sqrt(max(radius**2 - share**2 * entries / width, _LEAST_REACH**2))


def _share(width: int, size: int | None) -> float:
    return 0.5 if size is None else min(0.5, size / width)


def equal_scales(scale: float) -> Scaling:
    """Return the scaling by one factor for every map; where branches meet, the largest scale counts for all."""

    def scaling(network: Network, maps: Sequence[LearnedMap], biases: Sequence[LearnedBias]) -> Scales:
        learned = {(one.node.name, one.index) for one in maps}

        def of_node(node: Affine, scales: Mapping[str, float]) -> float:
            return max(scales[a] * (scale if (node.name, k) in learned else 1.0) for k, a in enumerate(node.inputs))

        scales = _swept(network, of_node)
        largest = max(scales.values())
        if not largest <= 2.0**_LARGEST:
            raise InputError(
                f"{scale:g} to the power of the network's learned layers is {largest:.3g}, beyond what float32 can"
                " divide by at the end; choose a smaller scale"
            )
        constants = {
            one.node.name: max(scales[part.source] for part in maps if part.node is one.node) for one in biases
        }
        return Scales(scales, constants)

    return scaling


def reaching_scales(width: int, size: int | None = None) -> Scaling:
    """Return the scaling of every map by the power of two at which subsets of random vectors serve it best.

    Where branches meet the map with the least scale decides, and maps that are kept follow. A bias has a constant of
    its own, so that it has a scale of its own.
    """

    def scaling(network: Network, maps: Sequence[LearnedMap], biases: Sequence[LearnedBias]) -> Scales:
        exponents = {(one.node.name, one.index): _exponent(one.targets[one.used], width, size) for one in maps}

        def of_node(node: Affine, scales: Mapping[str, float]) -> float:
            made = [
                scales[a] * 2.0 ** exponents[node.name, k]
                for k, a in enumerate(node.inputs)
                if (node.name, k) in exponents
            ]
            return _in_range(min(made) if made else max(scales[a] for a in node.inputs))

        scales = _swept(network, of_node)
        constants = {
            one.node.name: _in_range(scales[one.node.name] * 2.0 ** -_exponent(one.targets, width, size))
            for one in biases
        }
        return Scales(scales, constants)

    return scaling


def given_scales(scales: Scales) -> Scaling:
    """Return the scaling that is known already."""
    return lambda network, maps, biases: scales


def _swept(network: Network, of_node: Callable[[Affine, Mapping[str, float]], float]) -> dict[str, float]:
    """Return the scale of every node, those of its inputs known; a ReLU passes scales on."""
    scales = {INPUT: 1.0}
    for node in network.nodes:
        scales[node.name] = of_node(node, scales) if isinstance(node, Affine) else scales[node.input]
    return scales


def _exponent(targets: FloatArray, width: int, size: int | None) -> int:
    """Return which power of two times the targets, (blocks, entries), is found best; 0 where all are 0."""
    blocks, entries = targets.shape
    largest = float(np.abs(targets).max(initial=0.0))
    if largest == 0.0:
        return 0
    _, unit = math.frexp(largest)
    lengths = np.linalg.norm(np.ldexp(targets, -unit), axis=1)
    within, share = reach(width, entries, size), _share(width, size)
    deviation = _DEVIATION * 4.0 * share * (1.0 - share) * math.sqrt(width) / math.pi
    missed = blocks * entries * (_MISSED * entries**1.5 / width) ** 2

    def error(exponent: int) -> float:
        inverse = 2.0**-exponent
        return float(missed * inverse**2) + _expected_excess(lengths, within * inverse, deviation * inverse)

    exponent = math.floor(math.log2(within / float(lengths.max()))) - _FAR_BELOW
    while error(exponent + 1) < error(exponent):
        exponent += 1
    return min(max(exponent - unit, -_LARGEST), _LARGEST)


def _expected_excess(lengths: FloatArray, mean: float, deviation: float) -> float:
    """Return the sum of E max(0, length - r)^2 for a normally distributed r."""
    from scipy.special import ndtr

    beyond = (lengths - mean) / deviation
    density = np.exp(-0.5 * np.minimum(np.square(beyond), 1e3)) / math.sqrt(2.0 * math.pi)
    return float(deviation**2 * ((1.0 + np.square(beyond)) * ndtr(beyond) + beyond * density).sum())


def _in_range(scale: float) -> float:
    return min(max(scale, 2.0**-_LARGEST), 2.0**_LARGEST)
