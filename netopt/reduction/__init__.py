"""Smaller networks that equal a given one over a domain."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netopt.reduction.reduce import Reduction as Reduction
    from netopt.reduction.reduce import reduce_network as reduce_network

__all__ = ["Reduction", "reduce_network"]


def __getattr__(name: str) -> Any:
    """Load what reduces when it is first asked for: branch and bound needs another module of the package."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from netopt.reduction import reduce

    return getattr(reduce, name)
