"""How many points a network reads rightly, as they are and under attack."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netopt.arrays import BoolArray
from netopt.bounds.torch_maps import Tensor
from netopt.network.network import Network
from netopt.pruning.harp.losses import Attack, attacked
from netopt.pruning.harp.torch_network import TorchNetwork
from netopt.pruning.harp.training_data import check_data

#: Points attacked together.
BATCH = 512


def read_rightly(
    network: Network,
    images: ArrayLike,
    labels: ArrayLike,
    attack: Attack | None = None,
    *,
    seed: int = 0,
    device: str = "cpu",
) -> BoolArray:
    """Return which points a network reads rightly, at the point itself and at what an attack on it finds.

    That it finds nothing proves nothing; `netopt.verify` does.

    Parameters
    ----------
    images, labels : (count, ...) and (count,), as in training.
    attack : ascends the cross-entropy from a random start; None attacks nothing.
    seed : governs the starts.

    Raises
    ------
    InputError
        Shapes, range or labels do not fit.

    Examples
    --------
    >>> from netopt.network.build import from_weights
    >>> from netopt.pruning.harp.accuracy import read_rightly
    >>> from netopt.pruning.harp.losses import Attack
    >>> network = from_weights([[[1.0], [-1.0]]], [[0.0, 1.0]])
    >>> read_rightly(network, [[0.1], [0.45], [0.9]], [1, 1, 0], Attack(epsilon=0.1, step=0.05, steps=5)).tolist()
    [True, False, True]
    """
    import torch

    lower, upper = (-np.inf, np.inf) if attack is None else (attack.lower, attack.upper)
    data = check_data(network, images, labels, lower=lower, upper=upper)
    model = TorchNetwork(network, device)
    parameters = model.parameters()
    generator = torch.Generator().manual_seed(seed)

    def predict(point: Tensor) -> Tensor:
        return model.forward(point, parameters)

    found = []
    for begin in range(0, len(data.labels), BATCH):
        x = torch.from_numpy(data.images[begin : begin + BATCH]).to(device)
        y = torch.from_numpy(data.labels[begin : begin + BATCH]).to(device)
        with torch.no_grad():
            right = predict(x).argmax(1) == y
        if attack is not None:
            point = attacked(attack, predict, x, y, generator)
            with torch.no_grad():
                right &= predict(point).argmax(1) == y
        found.append(right.cpu().numpy())
    return np.concatenate(found)
