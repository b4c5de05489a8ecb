"""Training data on disk: an ``.npz`` file with images and labels, checked against the network."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netopt.errors import InputError
from netopt.network.network import Network

#: Names of the arrays to train on, and of those kept apart to test with, in the order in which they are looked for.
TRAINING_NAMES = (("x_train", "y_train"), ("images", "labels"))
TEST_NAMES = (("x_test", "y_test"), ("test_images", "test_labels"))


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """Points and their classes.

    Attributes
    ----------
    images : (count, n); as the file has them, bytes divided by 255.
    labels : (count,).
    """

    images: NDArray[Any]
    labels: NDArray[Any]


def read_data(
    path: Path, network: Network, most: int | None = None, most_tests: int | None = None
) -> tuple[LabelledImages, LabelledImages | None]:
    """Return the data to train on and, where the file holds some, to test with.

    Parameters
    ----------
    path : an ``.npz`` file; nothing in it is ever unpickled.
    network : whose inputs the images are; images with channels last are turned to its order.
    most, most_tests : of how many first points; None takes all.

    Raises
    ------
    InputError
        The file cannot be read, lacks arrays, or holds images of another shape.
    """
    with _opened(path) as file:
        training, testing = _find(file, TRAINING_NAMES), _find(file, TEST_NAMES)
        if training is None:
            wanted = " or ".join(f"{images} and {labels}" for images, labels in TRAINING_NAMES)
            raise InputError(f"{path} holds {', '.join(file) or 'nothing'}, not {wanted}; name the arrays so")
        return (
            _read(path, file, training, network, most),
            None if testing is None or most_tests == 0 else _read(path, file, testing, network, most_tests),
        )


def _opened(path: Path) -> Any:
    try:
        file = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read as an .npz file ({error}); write one with numpy.savez") from error
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise InputError(f"{path} holds one array, not images and labels; write both with numpy.savez")
    return file


def _find(file: Mapping[str, Any], names: tuple[tuple[str, str], ...]) -> tuple[str, str] | None:
    return next((pair for pair in names if all(name in file for name in pair)), None)


def _read(
    path: Path, file: Mapping[str, Any], names: tuple[str, str], network: Network, most: int | None
) -> LabelledImages:
    try:
        images, labels = (np.asarray(file[name])[:most] for name in names)
    except (ValueError, IndexError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{' and '.join(names)} of {path} cannot be read ({error}); write them as numbers") from error
    if images.dtype.kind == "f" and (bad := int(np.count_nonzero(~np.isfinite(images)))):
        raise InputError(f"{names[0]} of {path} holds {bad} values that are no finite numbers; clean the data first")
    if images.dtype == np.uint8:
        images = images.astype(np.float32) / np.float32(255.0)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    return LabelledImages(_in_order(images, names[0], path, network), labels)


def _in_order(images: NDArray[Any], name: str, path: Path, network: Network) -> NDArray[Any]:
    """Return the images as vectors in the network's order: channels, rows, columns."""
    known = [tuple(size for size in spec.shape if size != 1) for spec in network.inputs]
    found = tuple(size for size in images.shape[1:] if size != 1)
    wanted = known[0] if len(known) == 1 else (network.input_size,)
    if len(wanted) > 1 and len(found) > 1 and found != wanted:
        if found != (*wanted[1:], wanted[0]):
            raise InputError(
                f"{name} of {path} has the shape {images.shape} and the network takes images of shape {wanted};"
                " give them in that shape, or as vectors"
            )
        images = np.moveaxis(images.reshape(len(images), *found), -1, 1)
    if images.ndim < 1 or images.size != len(images) * network.input_size or not images.size:
        raise InputError(
            f"{name} of {path} has the shape {images.shape}, which are not points of the network's"
            f" {network.input_size} inputs; give an array (count, {network.input_size})"
        )
    return images.reshape(len(images), -1)
