"""scikit-learn's multilayer perceptrons, alone or at the end of a Pipeline of scalers, as networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from netopt.arrays import FloatArray
from netopt.errors import InputError, UnsupportedOperatorError
from netopt.network.composition import structured
from netopt.network.lowering import Expression, Lowering
from netopt.network.network import Network, TensorSpec

#: Output activation of a classifier -> what results call it once it is left out.
_PROBABILITIES = {"softmax": "softmax", "logistic": "logistic"}


def read_sklearn(estimator: Any, *, output: str | None = None) -> Network:
    """Return the network of a fitted estimator.

    Parameters
    ----------
    estimator : MLPRegressor, MLPClassifier, TransformedTargetRegressor around one, or a Pipeline of scalers and one.
    output : "logits" gives a classifier's values before the softmax (one value, before the logistic function, with two
        classes); None refuses classifiers, whose probabilities are not piecewise linear.

    Raises
    ------
    InputError
        The estimator is not fitted, or of a kind netopt does not read.
    UnsupportedOperatorError
        An activation is not piecewise linear.
    """
    scalers, final = _split(estimator)
    inner = getattr(final, "regressor_", final) if type(final).__name__ == "TransformedTargetRegressor" else final
    if inner is not final:
        more, inner = _split(inner)
        scalers = [*scalers, *more]
    if type(inner).__name__ not in ("MLPRegressor", "MLPClassifier"):
        raise InputError(
            f"netopt reads no {type(inner).__name__}; pass an MLPRegressor or MLPClassifier, or a Pipeline of scalers"
            " that ends in one"
        )
    if not hasattr(inner, "coefs_"):
        raise InputError(f"the {type(inner).__name__} is not fitted; call its fit first")
    dropped = _check_activations(inner, output)
    size = int(scalers[0].n_features_in_ if scalers else inner.coefs_[0].shape[0])
    lowering = Lowering(size)
    value = lowering.input
    for scaler in scalers:
        value = _scaled(lowering, scaler, value)
    value = _layers(lowering, inner, value)
    if inner is not final and not (final.transformer is None and final.func is None):
        value = _unscaled(lowering, final.transformer_, value)
    inputs = (TensorSpec("X", (1, size), "float64"),)
    return lowering.finish(value, inputs, (TensorSpec("Y", (1, value.size), "float64"),), dropped_output=dropped)


def _split(estimator: Any) -> tuple[list[Any], Any]:
    """Return a Pipeline's scalers and its last step."""
    if type(estimator).__name__ != "Pipeline":
        return [], estimator
    steps = [step for _, step in estimator.steps]
    return [step for step in steps[:-1] if step is not None and not isinstance(step, str)], steps[-1]


def _check_activations(perceptron: Any, output: str | None) -> str | None:
    """Refuse what is not piecewise linear; return what is left out at the end."""
    if perceptron.activation not in ("relu", "identity"):
        raise UnsupportedOperatorError(
            f"{type(perceptron).__name__} has activation {perceptron.activation!r}, which is not piecewise linear;"
            " train it with activation='relu'"
        )
    last = perceptron.out_activation_
    if last == "identity":
        return None
    if last in _PROBABILITIES and output == "logits":
        return _PROBABILITIES[last]
    if last in _PROBABILITIES:
        raise UnsupportedOperatorError(
            f"{type(perceptron).__name__} ends in {last}, which is not piecewise linear; read the values before it with"
            " load_network(estimator, output='logits')"
        )
    raise UnsupportedOperatorError(
        f"{type(perceptron).__name__} ends in {last!r}, which is not piecewise linear; train it with another loss"
    )


def _layers(lowering: Lowering, perceptron: Any, value: Expression) -> Expression:
    last = len(perceptron.coefs_) - 1
    for k, (weight, bias) in enumerate(zip(perceptron.coefs_, perceptron.intercepts_, strict=True)):
        value = lowering.shift(lowering.apply(structured(weight.T), value), np.asarray(bias, dtype=np.float64))
        if k < last and perceptron.activation == "relu":
            value = lowering.relu(value)
    return value


def _scaled(lowering: Lowering, scaler: Any, value: Expression) -> Expression:
    """Return what a scaler's ``transform`` gives."""
    factor, shift = read_scaler(scaler)
    scaled = lowering.shift(lowering.scale(value, factor), shift)
    if getattr(scaler, "clip", False):
        low, high = scaler.feature_range
        return lowering.clip(scaled, float(low), float(high))
    return scaled


def _unscaled(lowering: Lowering, scaler: Any, value: Expression) -> Expression:
    """Return what a scaler's ``inverse_transform`` gives."""
    factor, shift = read_scaler(scaler)
    return lowering.scale(lowering.shift(value, -shift), 1.0 / factor)


def read_scaler(scaler: Any) -> tuple[FloatArray | float, FloatArray | float]:
    """Return (factor, shift) of a fitted scaler: it maps x to ``factor * x + shift`` (and then may clip).

    Raises
    ------
    InputError
        The scaler is not fitted, or not one of StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler.
    """
    name = type(scaler).__name__
    if name not in _SCALERS:
        raise InputError(f"netopt reads no {name}; scale with one of {', '.join(_SCALERS)}")
    if not hasattr(scaler, "n_features_in_"):
        raise InputError(f"the {name} is not fitted; call its fit first")
    return _SCALERS[name](scaler)


def _centered(center: FloatArray | None, scale: FloatArray | None) -> tuple[FloatArray | float, FloatArray | float]:
    factor = 1.0 if scale is None else 1.0 / scale
    return factor, 0.0 if center is None else -center * factor


_SCALERS: Mapping[str, Callable[[Any], tuple[FloatArray | float, FloatArray | float]]] = {
    # mean_ is there even when with_mean=False leaves it out of transform
    "StandardScaler": lambda scaler: _centered(scaler.mean_ if scaler.with_mean else None, scaler.scale_),
    "RobustScaler": lambda scaler: _centered(scaler.center_, scaler.scale_),
    "MinMaxScaler": lambda scaler: (scaler.scale_, scaler.min_),
    "MaxAbsScaler": lambda scaler: _centered(None, scaler.scale_),
}
