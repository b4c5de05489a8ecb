"""From operator to lowering function; an operator that is not here is refused."""

from __future__ import annotations

from collections.abc import Mapping

from netopt.network.onnx_reader import activation, arithmetic, matrix, movement
from netopt.network.onnx_reader.call import LoweringFunction

#: Operator of the default ONNX domain -> how it is lowered.
LOWERINGS: Mapping[str, LoweringFunction] = {
    **activation.LOWERINGS,
    **arithmetic.LOWERINGS,
    **matrix.LOWERINGS,
    **movement.LOWERINGS,
}
