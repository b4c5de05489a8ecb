"""Write scikit-learn's handwritten digits as training and test images: ``digits_data.py DIGITS.npz``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits


def main(path: Path) -> None:
    """Write 1400 training images and the rest for tests, pixels from 0 to 1."""
    images, labels = load_digits(return_X_y=True)
    images = images / 16.0
    np.savez(path, x_train=images[:1400], y_train=labels[:1400], x_test=images[1400:], y_test=labels[1400:])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("give the file to write: digits_data.py DIGITS.npz")
    main(Path(sys.argv[1]))
