"""From operator to lowering function; an operator that is not here is refused."""

from __future__ import annotations

from collections.abc import Mapping

from netopt.network.onnx_reader import (
    activation,
    arithmetic,
    cast,
    convolution_layer,
    einsum,
    extremum,
    matrix,
    movement,
    pooling,
    reduction,
    resampling,
    softmax,
    transposed_convolution_layer,
)
from netopt.network.onnx_reader.call import LoweringFunction

#: Operator of the default ONNX domain -> how it is lowered.
LOWERINGS: Mapping[str, LoweringFunction] = {
    **activation.LOWERINGS,
    **arithmetic.LOWERINGS,
    **cast.LOWERINGS,
    **convolution_layer.LOWERINGS,
    **einsum.LOWERINGS,
    **extremum.LOWERINGS,
    **matrix.LOWERINGS,
    **movement.LOWERINGS,
    **pooling.LOWERINGS,
    **reduction.LOWERINGS,
    **resampling.LOWERINGS,
    **softmax.LOWERINGS,
    **transposed_convolution_layer.LOWERINGS,
}
