"""Train the two networks of the examples, anew and seeded: ``python examples/train_models.py`` (needs scikit-learn).

wine.onnx    which of three cultivars a wine is, from 13 chemical measurements (the wine data of scikit-learn, UCI 109)
yield.onnx   yield of a process from 5 settings in [0, 1], trained on noisy runs of Friedman's first benchmark function
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_wine, make_friedman1
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from netopt.network.load import load_network
from netopt.network.onnx_writer import write_onnx

MODELS = Path(__file__).resolve().parent / "models"


def main() -> None:
    """Train, report the accuracy on held-out data, and write networks and data files."""
    wine = load_wine()
    train, test, kind, kind_test = train_test_split(wine.data, wine.target, random_state=0, stratify=wine.target)
    classifier = MLPClassifier(hidden_layer_sizes=(16, 16), alpha=0.1, max_iter=3000, random_state=0)
    cultivar = make_pipeline(StandardScaler(), classifier).fit(train, kind)
    print(f"wine: {cultivar.score(test, kind_test):.3f} of {len(test)} held-out wines recognised")
    write_onnx(load_network(cultivar, output="logits"), MODELS / "wine.onnx")
    stock = [int(row) for cultivar in range(3) for row in np.flatnonzero(wine.target == cultivar)[:3]]
    header = ",".join(["cultivar", *wine.feature_names])
    table = np.column_stack([wine.target[stock], wine.data[stock]])
    np.savetxt(MODELS / "wine_stock.csv", table, fmt="%.4g", delimiter=",", header=header, comments="")

    runs, result = make_friedman1(n_samples=600, n_features=5, noise=0.5, random_state=0)
    train, test, target, target_test = train_test_split(runs, result, random_state=0)
    regressor = MLPRegressor(hidden_layer_sizes=(20, 20), alpha=0.01, max_iter=5000, random_state=0)
    regressor.fit(train, target)
    print(f"yield: R^2 = {regressor.score(test, target_test):.3f} on {len(test)} held-out runs")
    write_onnx(load_network(regressor), MODELS / "yield.onnx")
    header = "temperature,pressure,catalyst,feed,stirring"
    np.savetxt(MODELS / "yield_runs.csv", train[:60], fmt="%.5f", delimiter=",", header=header, comments="")


if __name__ == "__main__":
    main()
