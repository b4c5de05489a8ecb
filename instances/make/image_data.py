"""MNIST-like images from a file the user names: one ``.npz``, or one of four IDX files lying side by side."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_IDX_NAMES = {
    "x_train": "train-images",
    "y_train": "train-labels",
    "x_test": "t10k-images",
    "y_test": "t10k-labels",
}


@dataclass(frozen=True, slots=True)
class ImageData:
    """Images in [0, 1] as float32 (count, pixels), labels as int64 (count,)."""

    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]


def read_image_data(path: Path) -> ImageData:
    """Read images and labels.

    Parameters
    ----------
    path : an ``.npz`` with x_train, y_train, x_test, y_test, or any of the four IDX files
        ``train-images*``, ``train-labels*``, ``t10k-images*``, ``t10k-labels*`` (``.gz`` or not) of one folder.

    Raises
    ------
    ValueError
        The file is neither, or one of the four parts is missing.
    """
    if path.suffix == ".npz":
        with np.load(path) as archive:
            missing = [name for name in _IDX_NAMES if name not in archive.files]
            if missing:
                raise ValueError(f"{path} holds {sorted(archive.files)}, not {missing}; name an MNIST-like .npz")
            parts = {name: archive[name] for name in _IDX_NAMES}
    else:
        parts = {name: _read_idx(_idx_sibling(path, prefix)) for name, prefix in _IDX_NAMES.items()}
    return ImageData(
        _as_pixels(parts["x_train"]),
        parts["y_train"].astype(np.int64),
        _as_pixels(parts["x_test"]),
        parts["y_test"].astype(np.int64),
    )


def _as_pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    flat = images.reshape(images.shape[0], -1)
    return np.asarray(flat.astype(np.float32) / np.float32(255.0))


def _idx_sibling(path: Path, prefix: str) -> Path:
    found = sorted(path.parent.glob(f"{prefix}*"))
    if not found:
        raise ValueError(f"no {prefix}* lies beside {path}; all four IDX files must be in one folder")
    return found[0]


def _read_idx(path: Path) -> NDArray[np.uint8]:
    raw = path.read_bytes()
    data = gzip.decompress(raw) if path.suffix == ".gz" else raw
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise ValueError(f"{path} does not start as an IDX file of bytes (00 00 08); name an .npz or an IDX file")
    dimensions = data[3]
    shape = np.frombuffer(data, dtype=">u4", count=dimensions, offset=4)
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(tuple(int(n) for n in shape))
