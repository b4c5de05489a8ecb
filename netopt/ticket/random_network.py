r"""One fixed random network, drawn block by block and never again.

A learned map of the target with C input channels and kernels of D entries a channel (:math:`D = d^2 c_{out}`; the
number of outputs where it is a matrix) is found inside a random pair of layers: a 1x1 layer U from C to 2nC channels,
a ReLU, and a layer V of the target's own shape from these 2nC channels. All weights are N(0, 1). The
*n-channel-blocked mask* leaves of U what joins block t of 2n channels to input channel t, so of U only these weights
are ever drawn: ``lift[t, j]`` beside the filter ``filters[t, j]``, the slice of V that reads channel (t, j).

The weights follow from the seed, the number of the map and their place alone, in float32, so that a file of float32
holds exactly the network that was searched.

da Cunha, d'Amore, Natale, *Polynomially over-parameterized convolutional neural networks contain structured strong
winning lottery tickets*, NeurIPS 2023 (arXiv 2311.09858).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class RandomPair:
    """The random layers U and V that stand for one learned map, as far as the blocked mask leaves them.

    Attributes
    ----------
    seed : of the whole random network.
    stream : number of the pair in the network; no two have the same.
    channels : input channels C, one block of U each.
    width : n; a block has 2n channels, of which about n have a positive weight.
    entries : D, entries of a filter.
    """

    seed: int
    stream: int
    channels: int
    width: int
    entries: int

    def blocks(self, count: int) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield the blocks of the input channels in order, `count` at a time; how many does not change a weight.

        Yields
        ------
        lift : (channels, 2n), what U multiplies the channel with.
        filters : (channels, 2n, D), what V makes of each channel of U.

        Examples
        --------
        >>> from netopt.ticket.random_network import RandomPair
        >>> pair = RandomPair(seed=0, stream=1, channels=3, width=4, entries=2)
        >>> [filters.shape for _, filters in pair.blocks(2)]
        [(2, 8, 2), (1, 8, 2)]
        """
        generator = np.random.default_rng([self.seed, self.stream])
        for first in range(0, self.channels, count):
            shape = (min(count, self.channels - first), 2 * self.width, 1 + self.entries)
            weights = generator.standard_normal(shape, dtype=np.float32).astype(np.float64)
            yield weights[:, :, 0], weights[:, :, 1:]
