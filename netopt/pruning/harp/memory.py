r"""How much memory a HARP training takes at most, said before it begins.

With P parameters, A values that a forward pass makes a point (inputs and nodes), a batch of b points and n images of
i inputs it is about

.. math:: 112 P + 4 c\, b\, A + 8\, n\, i + 350\ \text{MB}

bytes: the tensors and arrays as long as the parameters (state, gradients, group numbers, the network itself in float64
and what masks are made with), the values that a backward pass keeps (c = 3 for one forward pass, 6 for the losses
that take two; test images are attacked in batches of their own), the images as read and as tensors, and torch itself.
"""

from __future__ import annotations

from netopt.errors import InvalidOptionError
from netopt.gpu.device import describe_gpu
from netopt.network.network import Network
from netopt.pruning.harp.accuracy import BATCH
from netopt.pruning.harp.options import HarpOptions

_BYTES_PER_PARAMETER = 112
_PASSES = {"natural": 2, "pgd-at": 3, "trades": 6, "mart": 6}
_LIBRARIES = 350 * 2**20


def estimate_memory(network: Network, options: HarpOptions, images: int, tests: int = 0) -> int:
    """Return about how many bytes a training on so many images takes, and testing on so many."""
    values = network.input_size + sum(node.size for node in network.nodes)
    at_once = max(_PASSES[options.loss] * min(options.batch, images), _PASSES["pgd-at"] * min(BATCH, tests))
    data = 8 * (images + tests) * network.input_size
    return _BYTES_PER_PARAMETER * network.parameters + 4 * at_once * values + data + _LIBRARIES


def free_memory(device: str) -> int:
    """Return how many bytes are free on a device."""
    if device == "cuda":
        return describe_gpu().free_memory
    import psutil

    return int(psutil.virtual_memory().available)


def check_memory(needed: int, free: int) -> None:
    """Check that there is enough memory.

    Raises
    ------
    InvalidOptionError
        There is not.
    """
    if needed > free:
        raise InvalidOptionError(
            f"the training needs about {needed / 2**30:.2f} GB of memory and {free / 2**30:.2f} GB are free;"
            " give a smaller --batch, fewer --samples or a smaller network"
        )
