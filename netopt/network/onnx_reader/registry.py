"""From operator to lowering function; an operator that is not here is refused."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from netopt.network.onnx_reader.call import LoweringFunction

#: Modules of this package with ``LOWERINGS`` (operator of the default ONNX domain -> how it is lowered), those with the
#: most common operators first: a module is loaded when those before it lack an operator.
_MODULES = (
    "activation",
    "matrix",
    "arithmetic",
    "movement",
    "cast",
    "convolution_layer",
    "pooling",
    "reduction",
    "extremum",
    "softmax",
    "resampling",
    "transposed_convolution_layer",
    "einsum",
)


def lowering(operator: str) -> LoweringFunction | None:
    """Return how an operator is lowered; None for one that is refused."""
    for name, function in _lowerings():
        if name == operator:
            return function
    return None


def operators() -> list[str]:
    """Return the names of all operators that are lowered."""
    return [name for name, _ in _lowerings()]


def _lowerings() -> Iterator[tuple[str, LoweringFunction]]:
    for module in _MODULES:
        yield from import_module(f"{__package__}.{module}").LOWERINGS.items()
