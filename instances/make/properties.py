"""Write the properties of trained networks: ``python -m instances.make.properties --data FILE.npz --name mnist``.

One file an image and radius, shared by the networks of a data set: the images are the first ones of the test set that
all of them classify correctly, at most one a class.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from instances.make.image_data import read_image_data
from instances.make.robustness import write_robustness

FOLDER = Path(__file__).resolve().parents[1]
NETWORKS = FOLDER / "networks"
PROPERTIES = FOLDER / "properties"
IMAGES = 5
#: Plainly trained networks are broken at smaller radii on Fashion-MNIST than on MNIST.
EPSILONS = {"mnist": (0.01, 0.02, 0.03, 0.05), "fashion": (0.004, 0.008, 0.015, 0.03)}


@dataclass(frozen=True, slots=True)
class Labelled:
    """Test images (count, pixels) in [0, 1] and their labels (count,)."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


def predictions(path: Path, images: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the class onnxruntime gives each image, one at a time as the file's batch size is 1."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    tensor = session.get_inputs()[0]
    scores = [session.run(None, {tensor.name: image.reshape(tensor.shape)})[0] for image in images]
    return np.argmax(np.concatenate(scores), axis=1)


def write_properties(name: str, data: Labelled, epsilons: Sequence[float], count: int) -> None:
    """Write one property an image and radius for the networks ``NETWORKS / f"{name}-*.onnx"``."""
    head = Labelled(data.images[:200], data.labels[:200])
    correct = np.ones(len(head.labels), dtype=bool)
    for path in sorted(NETWORKS.glob(f"{name}-*.onnx")):
        correct &= predictions(path, head.images) == head.labels
    rows = np.flatnonzero(correct)
    _, first = np.unique(head.labels[rows], return_index=True)
    for row in rows[np.sort(first)][:count]:
        for epsilon in epsilons:
            path = PROPERTIES / f"{name}-img{row}-eps{epsilon:g}.vnnlib.gz"
            comment = f"{name} test image {row}, label {head.labels[row]}, L-infinity radius {epsilon:g}"
            write_robustness(path, head.images[row], int(head.labels[row]), epsilon, comment)
            print(path.name)


def main() -> None:
    """Write the properties of one data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST-like .npz, or one of its IDX files")
    parser.add_argument("--name", required=True, choices=sorted(EPSILONS))
    arguments = parser.parse_args()
    data = read_image_data(arguments.data)
    write_properties(arguments.name, Labelled(data.x_test, data.y_test), EPSILONS[arguments.name], IMAGES)


if __name__ == "__main__":
    main()
