"""Networks as the peers take them, made from weight matrices in memory; runs under the peers' interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np


def fitted_regressor(weights: list[np.ndarray], biases: list[np.ndarray]) -> Any:
    """Return a fitted scikit-learn regressor with these weights, (out, in) each."""
    from sklearn.neural_network import MLPRegressor

    regressor = MLPRegressor(hidden_layer_sizes=tuple(bias.size for bias in biases[:-1]))
    regressor.coefs_ = [weight.T.copy() for weight in weights]
    regressor.intercepts_ = [bias.copy() for bias in biases]
    regressor.n_layers_ = len(weights) + 1
    regressor.n_outputs_ = weights[-1].shape[0]
    regressor.n_features_in_ = weights[0].shape[1]
    regressor.out_activation_ = "identity"
    return regressor


def omlt_definition(weights: list[np.ndarray], biases: list[np.ndarray], lower: np.ndarray, upper: np.ndarray) -> Any:
    """Return OMLT's definition of the network over a box."""
    from omlt.neuralnet import NetworkDefinition
    from omlt.neuralnet.layer import DenseLayer, InputLayer

    bounds = dict(enumerate(zip(lower.tolist(), upper.tolist(), strict=True)))
    definition = NetworkDefinition(scaled_input_bounds=bounds)
    previous = InputLayer([lower.size])
    definition.add_layer(previous)
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        activation = "linear" if k == len(weights) - 1 else "relu"
        layer = DenseLayer([weight.shape[1]], [weight.shape[0]], weight.T, bias, activation=activation)
        definition.add_layer(layer)
        definition.add_edge(previous, layer)
        previous = layer
    return definition
