r"""What each unit of a layer contributes to the pre-activations that read it, as vectors of a few thousand entries.

Unit u, of pixels p, with values h over a sample, adds :math:`M_u h_u(x)` to the next pre-activations (M: everything
linear up to the next ReLUs, pooling and skips included). The squared length of a signed sum of such contributions,
averaged over the sample and weighted by the influence :math:`\omega` of each pre-activation on the outputs, is

.. math:: E_x \big| \omega \circ \sum_u \epsilon_u M_u h_u(x) \big|^2
    = E_{x, r} \Big( \sum_u \epsilon_u \langle M_u^T (\omega \circ r), h_u(x) \rangle \Big)^2

for r of independent random signs (Hutchinson 1990; Johnson and Lindenstrauss 1984). So one reverse product a point and
sign vector gives one entry of every unit's vector, whatever the map is, and squared distances of sums are kept up to
the relative error :math:`\sqrt{2 / R}` of R entries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from netopt.arrays import FloatArray
from netopt.network.network import Network
from netopt.network.nodes import Affine
from netopt.pruning.request import Request
from netopt.pruning.structured import Layer

#: Entries for each unit, at least.
_ENTRIES = 8


def backward_signs(
    network: Network,
    relus: tuple[str, ...],
    influence: Mapping[str, FloatArray],
    rows: int,
    generator: np.random.Generator,
) -> dict[str, FloatArray]:
    r"""Return :math:`M^T (\omega \circ r)` for rows of random signs r: name of each ReLU -> (rows, size).

    Parameters
    ----------
    relus : ReLUs that read one Affine.
    influence : name of an Affine -> (size,) weight of its values; only ratios matter.
    """
    reached = set(relus)
    for node in network.nodes:
        if isinstance(node, Affine) and reached.intersection(node.inputs):
            reached.add(node.name)
    ends = {relu.input for relu in network.relus} | {network.output}
    largest = max(
        (float(influence[name].max(initial=0.0)) for name in reached & ends if name not in relus), default=0.0
    )
    carried: dict[str, FloatArray] = {}
    for node in reversed(network.nodes):
        if node.name not in reached or node.name in relus:
            continue
        assert isinstance(node, Affine)
        own = carried.pop(node.name, np.zeros((rows, node.size)))
        if node.name in ends:
            signs = generator.choice([-1.0, 1.0], size=(rows, node.size))
            own = own + signs * (influence[node.name] / max(largest, 1e-300))
        for source, linear_map in zip(node.inputs, node.maps, strict=True):
            if source in reached:
                product = linear_map.apply_transpose(own)
                carried[source] = carried[source] + product if source in carried else product
    return {name: carried[name] for name in relus if name in carried}


def contributions(
    request: Request, layer: Layer, dense: FloatArray, thin: FloatArray, without: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return what each unit adds by staying, (units, D), and what all are to add, (D,).

    Parameters
    ----------
    dense, thin, without : (points, size) the layer's pre-activations at the request's sample: of the dense network, of
        the one pruned so far with all units kept, and of units that go.
    """
    sample, count = request.known_sample, layer.count
    repeats = math.ceil(_ENTRIES * count / sample.weights.size)
    root = np.sqrt(np.tile(sample.weights, repeats))[:, None]
    influence = request.known_ranges.influence
    signs = backward_signs(request.network, layer.relus, influence, root.shape[0], request.generator)
    absent = np.maximum(without, 0.0)
    given, wanted = (np.maximum(value, 0.0) - absent for value in (thin, dense))
    given, wanted = (np.tile(value - sample.mean(value), (repeats, 1)) for value in (given, wanted))
    vectors, target = np.zeros((count, root.shape[0])), np.zeros(root.shape[0])
    for carried in signs.values():
        weight = root * carried
        vectors += np.einsum(
            "rup,rup->ur", *(array.reshape(-1, count, layer.node.size // count) for array in (weight, given))
        )
        target += np.einsum("rp,rp->r", weight, wanted)
    return vectors, target
