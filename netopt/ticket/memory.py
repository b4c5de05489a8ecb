"""What a ticket needs in memory, said before the search begins."""

from __future__ import annotations

import numpy as np

from netopt.errors import InputError
from netopt.network.convolution import Convolution
from netopt.subset_sum.search import Effort
from netopt.ticket.layers import Layers

#: Copies of the filters kept that are alive at once: as found, as kernels of the network, and while they are joined.
_COPIES = 3


def ticket_memory(layers: Layers, width: int, effort: Effort) -> int:
    """Return the bytes that finding a ticket takes at most; about half of the filters that can be used are kept."""
    kept: int = 0
    for one in layers.maps:
        problems = int(np.count_nonzero(one.positive) + np.count_nonzero(one.negative))
        spread = one.groups if isinstance(one.shape, Convolution) else 2  # zeros are stored, or places
        kept += problems * width * (spread * one.entries + 4)
    kept += sum(width * (2 * one.targets.size + 4 * one.targets.shape[0]) for one in layers.biases)
    return _COPIES * 8 * kept + effort.memory


def check_memory(layers: Layers, width: int, effort: Effort) -> None:
    """Refuse a ticket that does not fit.

    Raises
    ------
    InputError
        Less memory is free than `ticket_memory` says.
    """
    import psutil

    needed, free = ticket_memory(layers, width, effort), int(psutil.virtual_memory().available)
    if needed > free:
        raise InputError(
            f"a ticket of width {width} needs up to {needed / 1e9:.3g} GB and {free / 1e9:.3g} GB are free; choose a"
            " smaller width or target"
        )
