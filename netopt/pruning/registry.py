"""The pruning methods by name, and the texts that name one with its rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from netopt.arrays import BoolArray
from netopt.checks import is_number
from netopt.errors import InvalidOptionError
from netopt.pruning import scores
from netopt.pruning.lossless import keep_needed
from netopt.pruning.mask import Mask
from netopt.pruning.request import Request
from netopt.pruning.select import keep_globally, keep_layerwise, scaled
from netopt.pruning.structured import at_random, by_units, norm_of_weights, width_of_values
from netopt.pruning.ticket import keep_ticket

Selection = Callable[[Request], Mapping[str, BoolArray]]


@dataclass(frozen=True, slots=True)
class Method:
    """A way to choose weights.

    Attributes
    ----------
    select : from a request to the weights kept.
    needs_domain : whether it looks at what flows through the weights over a domain.
    takes_rate : whether it removes a given fraction, or all that its rule names.
    exact : whether the function stays as it is on the domain.
    averages : whether it looks at points of the domain; biases then take averages over them, not the centre's values.
    rescales : whether the weights kept are multiplied by one factor a layer.
    priced : whether its rate is a price: what all units of a layer cost, as a share of the error of having none.
    factors : key of a map -> what its weights kept are multiplied by, where that is known beforehand.
    """

    select: Selection
    needs_domain: bool = False
    takes_rate: bool = True
    exact: bool = False
    averages: bool = False
    rescales: bool = False
    priced: bool = False
    factors: Mapping[str, float] = field(default_factory=dict)


def _layerwise(score: Callable[[Request], scores.Scores]) -> Selection:
    return lambda request: keep_layerwise(score(request), request.rate)


def _global(score: Callable[[Request], scores.Scores]) -> Selection:
    return lambda request: keep_globally(score(request), request.rate)


#: A saved mask as a method is this, a colon and its file.
SAVED = "mask"
#: Name -> method.
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "magnitude": Method(_layerwise(scores.magnitude)),
        "domain-aware": Method(_layerwise(scores.domain_aware), needs_domain=True),
        "random": Method(_layerwise(scores.random)),
        "lamp": Method(_global(scores.lamp)),
        "lossless": Method(keep_needed, needs_domain=True, takes_rate=False, exact=True),
        "neuron-norm": Method(by_units(norm_of_weights)),
        "neuron-width": Method(by_units(width_of_values), needs_domain=True),
        "neuron-random": Method(by_units(at_random)),
        "ticket": Method(keep_ticket, needs_domain=True, averages=True),
        "ticket-rescaled": Method(keep_ticket, needs_domain=True, averages=True, rescales=True),
        "ticket-priced": Method(keep_ticket, needs_domain=True, averages=True, rescales=True, priced=True),
        "global-magnitude": Method(_global(lambda request: scaled(scores.magnitude(request)))),
        "global-domain-aware": Method(_global(scores.domain_aware), needs_domain=True),
    }
)


def saved_path(name: str) -> Path | None:
    """Return the file of ``mask:FILE``, None where a method is named."""
    head, _, file = name.partition(":")
    return Path(file) if head == SAVED and file else None


def find_method(name: str) -> Method:
    """Return the method called `name`; ``mask:FILE`` is the one that keeps what a saved mask keeps.

    Raises
    ------
    InvalidOptionError
        There is none.
    InputError
        The file holds no mask.
    """
    if (path := saved_path(name)) is not None:
        return as_method(Mask.load(path))
    if name not in METHODS:
        raise InvalidOptionError(
            f"pruning method {name!r} is unknown; choose one of {', '.join(METHODS)}, or {SAVED}:FILE for a saved mask"
        )
    return METHODS[name]


def as_method(mask: Mask) -> Method:
    """Return the method that keeps what a mask keeps."""
    return Method(mask.select, takes_rate=False, factors=mask.factors)


def check_rate(rate: float) -> float:
    """Return `rate` if it is a fraction that can be removed.

    Raises
    ------
    InvalidOptionError
        It is not in [0, 1).
    """
    if not (is_number(rate) and 0.0 <= rate < 1.0):
        raise InvalidOptionError(f"pruning rate {rate} is not in [0, 1); give the fraction of weights to remove")
    return rate


def parse_prune(text: str) -> tuple[str, float]:
    """Return (method, rate) of a text such as ``"magnitude:0.9"``; a method without a rate, or a mask, stands alone.

    Raises
    ------
    InvalidOptionError
        The method is unknown, or the rate is missing, superfluous, no number or not in [0, 1).

    Examples
    --------
    >>> from netopt.pruning.registry import parse_prune
    >>> parse_prune("domain-aware:0.8")
    ('domain-aware', 0.8)
    """
    if saved_path(text) is not None:
        return text, 0.0
    name, colon, number = text.partition(":")
    if not find_method(name).takes_rate:
        if colon:
            raise InvalidOptionError(f"pruning method {name!r} takes no rate; write {name!r} instead of {text!r}")
        return name, 0.0
    try:
        return name, check_rate(float(number))
    except ValueError as error:
        if isinstance(error, InvalidOptionError):
            raise
        raise InvalidOptionError(f"{text!r} names no rate; write METHOD:RATE, e.g. '{name}:0.9'") from error
