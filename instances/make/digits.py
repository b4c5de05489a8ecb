"""Train the scikit-learn digits classifiers and write their properties: ``python -m instances.make.digits``."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from instances.make.onnx_file import write_mlp
from instances.make.properties import NETWORKS, Labelled, write_properties

HIDDEN = {"digits-2x10": (10, 10), "digits-2x20": (20, 20), "digits-2x50": (50, 50), "digits-3x30": (30, 30, 30)}
EPSILONS = (0.02, 0.05, 0.1, 0.2)
IMAGES = 4


def main() -> None:
    """Train on 80 % of the 1797 images, in [0, 1], and write networks and properties."""
    images, labels = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(images / 16.0, labels, test_size=0.2, random_state=0)
    for name, hidden in HIDDEN.items():
        model = MLPClassifier(hidden, alpha=1e-4, max_iter=300, random_state=0, early_stopping=False, tol=1e-3)
        model.fit(x_train, y_train)
        write_mlp(NETWORKS / f"{name}.onnx", [weight.T for weight in model.coefs_], model.intercepts_)
        print(f"{name}.onnx: test accuracy {model.score(x_test, y_test):.4f}", flush=True)
    write_properties("digits", Labelled(x_test.astype(np.float32), y_test), EPSILONS, IMAGES)


if __name__ == "__main__":
    main()
