"""Images and labels to train on, checked once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netopt.checks import check_kind
from netopt.errors import InputError
from netopt.network.network import Network


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """Points and their classes.

    Attributes
    ----------
    images : (count, n) float32, in the range that the training names.
    labels : (count,) int64, from 0 to the number of outputs - 1.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]

    @property
    def digest(self) -> str:
        """What tells this data from other."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()


def check_data(
    network: Network, images: ArrayLike, labels: ArrayLike, *, lower: float = 0.0, upper: float = 1.0
) -> TrainingData:
    """Return the data as a network takes it.

    Parameters
    ----------
    images : (count, ...) numbers in [lower, upper], as many a point as the network has inputs.
    labels : (count,) whole numbers, the index of the output that should be largest.

    Raises
    ------
    InputError
        Shapes, range or labels do not fit.
    """
    check_kind(network, Network, "the network", "read it with netopt.load_network")
    points = np.asarray(images)
    count = points.shape[0] if points.ndim else 0
    if points.dtype.kind not in "fiu" or not count or points.size != count * network.input_size:
        raise InputError(
            f"images of shape {points.shape} and type {points.dtype} do not fit the network's {network.input_size}"
            " inputs; give an array of numbers (count, inputs)"
        )
    flat = points.reshape(count, -1).astype(np.float32)
    least, most = float(flat.min()), float(flat.max())
    if not (lower <= least and most <= upper):
        raise InputError(
            f"the images range from {least:g} to {most:g}, not within [{lower:g}, {upper:g}]; scale them, or name their"
            " range"
        )
    return TrainingData(np.ascontiguousarray(flat), _check_labels(np.asarray(labels), count, network.output_size))


def _check_labels(labels: NDArray[Any], count: int, classes: int) -> NDArray[np.int64]:
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise InputError(
            f"labels of shape {labels.shape} and type {labels.dtype} do not fit {count} images; give one whole number"
            " an image"
        )
    least, most = int(labels.min()), int(labels.max())
    if classes < 2 or least < 0 or most >= classes:
        raise InputError(
            f"labels from {least} to {most} do not fit a network with {classes} outputs; give the index of the right"
            " one"
        )
    return labels.astype(np.int64)
