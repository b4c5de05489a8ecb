"""Random ReLU layers with degenerate weights and bounds, for the tests of the formulations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from scipy import sparse

from formulations.formulation import ReluLayer


def layer_of(
    weight: np.ndarray,
    bias: np.ndarray,
    input_lower: np.ndarray,
    input_upper: np.ndarray,
    *,
    lower: np.ndarray | None = None,
    upper: np.ndarray | None = None,
) -> ReluLayer:
    """Return a layer; without bounds of its own it gets those that follow from the box of its inputs."""
    middle, radius = (input_lower + input_upper) / 2.0, (input_upper - input_lower) / 2.0
    value, reach = weight @ middle + bias, np.abs(weight) @ radius
    slack = 1e-12 * (1.0 + np.abs(value) + reach)
    return ReluLayer(
        name="layer1.relu",
        weight=sparse.csr_array(weight),
        bias=bias,
        input_lower=input_lower,
        input_upper=input_upper,
        lower=value - reach - slack if lower is None else lower,
        upper=value + reach + slack if upper is None else upper,
        index=np.arange(bias.size),
    )


@st.composite
def layers(draw: st.DrawFn, neurons: int = 3, inputs: int = 4, scales: Sequence[int] = (-5, -2, 0, 2, 4)) -> ReluLayer:
    """Layers with point inputs, zero rows, zero columns, repeated rows, bounds at zero, and tiny and huge scales.

    `scales` are the decimal exponents of the weights.
    """
    m, n = draw(st.integers(1, neurons)), draw(st.integers(1, inputs))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = 10.0 ** draw(st.sampled_from(scales))
    weight = np.round(generator.normal(size=(m, n)), 3) * scale
    weight[generator.random((m, n)) < draw(st.sampled_from([0.0, 0.4]))] = 0.0
    if draw(st.booleans()):
        weight[draw(st.integers(0, m - 1))] = 0.0
    if draw(st.booleans()):
        weight[draw(st.integers(0, m - 1))] = weight[0]
    center = np.round(generator.normal(size=n), 2)
    radius = np.round(generator.uniform(0.1, 2.0, n), 2)
    radius[generator.random(n) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = 0.0
    low, high = center - radius, center + radius
    if draw(st.booleans()):
        low = np.maximum(low, 0.0)  # inputs that are outputs of a ReLU
        high = np.maximum(high, low)
    reach = np.abs(weight) @ ((high - low) / 2.0)
    value = weight @ ((low + high) / 2.0)
    # the place of zero within the pre-activation's range: inside, exactly at an end, outside
    place = np.array([draw(st.sampled_from([0.0, 0.3, -0.7, 1.0, -1.0, 1.5, -1.5])) for _ in range(m)])
    bias = place * reach - value
    return layer_of(weight, bias, low, high)
