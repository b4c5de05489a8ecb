from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from netopt.errors import InputError, UnsupportedOperatorError
from netopt.network.load import load_network
from netopt.network.sklearn_reader import read_scaler

pytest.importorskip("sklearn")
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

RNG = np.random.default_rng(5)
POINTS = RNG.normal(size=(40, 3)) * [1.0, 100.0, 0.01] + [0.0, 5.0, -1.0]
TARGETS = POINTS @ [1.0, 0.02, 30.0] + np.abs(POINTS[:, 0])


def fitted(estimator: Any, targets: np.ndarray = TARGETS) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a test needs weights, not convergence
        return estimator.fit(POINTS, targets)


def regressor(**options: Any) -> MLPRegressor:
    return MLPRegressor(hidden_layer_sizes=(5, 4), max_iter=20, random_state=0, **options)


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_regressor(activation: str) -> None:
    estimator = fitted(regressor(activation=activation))
    np.testing.assert_allclose(load_network(estimator).forward(POINTS)[:, 0], estimator.predict(POINTS), rtol=1e-12)


def test_regressor_of_two_outputs() -> None:
    estimator = fitted(regressor(), np.stack([TARGETS, -TARGETS], axis=1))
    np.testing.assert_allclose(load_network(estimator).forward(POINTS), estimator.predict(POINTS), rtol=1e-12)


@pytest.mark.parametrize(
    "scalers",
    [
        (StandardScaler(),),
        (StandardScaler(with_mean=False),),
        (StandardScaler(with_std=False), MaxAbsScaler()),
        (MinMaxScaler((-1.0, 2.0)),),
        (MinMaxScaler(clip=True),),
        (RobustScaler(), "passthrough"),
        (RobustScaler(with_centering=False),),
    ],
)
def test_pipeline_of_scalers(scalers: tuple[Any, ...]) -> None:
    estimator = fitted(make_pipeline(*scalers, regressor()))
    outside = np.concatenate([POINTS, POINTS * 3.0 + 1.0])
    np.testing.assert_allclose(
        load_network(estimator).forward(outside)[:, 0], estimator.predict(outside), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), None])
def test_scaled_target(scaler: Any) -> None:
    inner = TransformedTargetRegressor(make_pipeline(StandardScaler(), regressor()), transformer=scaler)
    estimator = fitted(inner)
    np.testing.assert_allclose(load_network(estimator).forward(POINTS)[:, 0], estimator.predict(POINTS), rtol=1e-9)


def test_scaling_is_folded_into_the_first_layer() -> None:
    network = load_network(fitted(make_pipeline(StandardScaler(), regressor())))
    assert [node.name for node in network.nodes] == [
        "layer1.affine",
        "layer1.relu",
        "layer2.affine",
        "layer2.relu",
        "output.affine",
    ]


@pytest.mark.parametrize("classes", [2, 3])
def test_classifier_gives_logits_on_demand(classes: int) -> None:
    labels = np.digitize(TARGETS, np.quantile(TARGETS, np.linspace(0, 1, classes + 1)[1:-1]))
    estimator = fitted(MLPClassifier((6,), max_iter=30, random_state=0), labels)
    with pytest.raises(UnsupportedOperatorError, match="output='logits'"):
        load_network(estimator)
    network = load_network(estimator, output="logits")
    logits = network.forward(POINTS)
    if classes == 2:
        assert network.dropped_output == "logistic"
        probability = 1.0 / (1.0 + np.exp(-logits[:, 0]))
        np.testing.assert_allclose(probability, estimator.predict_proba(POINTS)[:, 1], rtol=1e-10)
    else:
        assert network.dropped_output == "softmax"
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        expected = estimator.predict_proba(POINTS)
        np.testing.assert_allclose(weights / weights.sum(axis=1, keepdims=True), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (MLPRegressor(), "not fitted"),
        (LinearRegression(), "reads no LinearRegression"),
        (
            make_pipeline(PowerTransformer(), MLPRegressor(hidden_layer_sizes=(2,), max_iter=5)),
            "reads no PowerTransformer",
        ),
    ],
)
def test_unreadable_estimator(estimator: Any, message: str) -> None:
    if "not fitted" not in message:
        fitted(estimator)
    with pytest.raises(InputError, match=message):
        load_network(estimator)


def test_tanh_is_refused() -> None:
    with pytest.raises(UnsupportedOperatorError, match=r"'tanh'.*train it with activation='relu'"):
        load_network(fitted(regressor(activation="tanh")))


def test_unfitted_scaler() -> None:
    with pytest.raises(InputError, match="StandardScaler is not fitted"):
        read_scaler(StandardScaler())
