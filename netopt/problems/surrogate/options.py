"""How a call is to use surrogates: one pruned network, a ladder of them that ends dense, or a relaxed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netopt.checks import check_kind, is_number
from netopt.errors import InvalidOptionError

if TYPE_CHECKING:
    from netopt.network.network import Network

#: Method and rates of ``"ladder"``, sparsest first.
DEFAULT_METHOD = "domain-aware"
DEFAULT_RATES = (0.95, 0.9, 0.8, 0.5)

_LADDER, _RELAXED = "ladder", "relaxed"
_FORMS = (
    "write METHOD:RATE (such as domain-aware:0.8), mask:FILE, ladder, ladder:RATE,RATE,...,"
    " ladder:METHOD:RATE,RATE,..., relaxed or relaxed:RATE"
)


@dataclass(frozen=True, slots=True)
class Pruning:
    """One way of pruning the network.

    Attributes
    ----------
    method : one of `netopt.pruning.registry.METHODS`, or ``mask:FILE``.
    rate : fraction of the weights removed, in [0, 1); 0 for a method that takes none.
    """

    method: str
    rate: float

    @property
    def label(self) -> str:
        """The pruning as it is written on the command line, e.g. ``"domain-aware:0.8"``."""
        from netopt.pruning.registry import METHODS

        takes_rate = self.method in METHODS and METHODS[self.method].takes_rate  # a saved mask takes none
        return f"{self.method}:{self.rate:g}" if takes_rate else self.method


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrogate:
    """Pruned networks to search.

    Attributes
    ----------
    rungs : the prunings, in the order they are searched.
    exact : whether the dense network is searched last, so that the answer is exact given time.
    no_good : after a pruned network is solved, cut off the activation patterns of its points and search it again.
    region_model : after each pruned network, also solve the dense MILP within the linear region of the pruned network
        that its best point lies in.
    """

    rungs: tuple[Pruning, ...]
    exact: bool = False
    no_good: bool = False
    region_model: bool = False

    def __post_init__(self) -> None:
        if not self.rungs:
            raise InvalidOptionError("the surrogate has no pruned network; give at least one method and rate")
        check_kind(self.rungs, tuple, "rungs", "give a tuple of Pruning")

    def require(self, network: Network) -> None:
        """Check that saved masks among the rungs are masks of `network`, before anything is searched.

        Raises
        ------
        InputError
            A file holds no mask, or one of another network.
        """
        from netopt.pruning.mask import Mask
        from netopt.pruning.registry import saved_path

        for path in filter(None, (saved_path(rung.method) for rung in self.rungs)):
            Mask.load(path).require(network)

    @classmethod
    def ladder(
        cls,
        rates: Sequence[float] = DEFAULT_RATES,
        method: str = DEFAULT_METHOD,
        *,
        no_good: bool = False,
        region_model: bool = False,
    ) -> Surrogate:
        """Return rungs of one method, sparsest first, and the dense network last.

        Raises
        ------
        InvalidOptionError
            The method is unknown, or a rate is not in [0, 1).
        """
        from netopt.pruning.registry import parse_prune

        prunings = [Pruning(*parse_prune(f"{method}:{float(rate)!r}")) for rate in sorted(set(rates), reverse=True)]
        rungs = tuple(pruning for pruning in prunings if pruning.rate)  # rate 0 is the dense network itself
        return cls(rungs=rungs, exact=True, no_good=no_good, region_model=region_model)


@dataclass(frozen=True, slots=True)
class RelaxedSurrogate:
    """Relaxations whose bounds hold for the dense network: ReLUs as lines, split until it suffices; then the network.

    Attributes
    ----------
    rate : fraction of the weights that a sparse model between the two leaves out, in [0, 1); None for no such model.
    """

    rate: float | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and not (is_number(self.rate) and 0.0 <= self.rate < 1.0):
            raise InvalidOptionError(f"rate is {self.rate!r}; give the fraction of weights removed, in [0, 1), or None")


def parse_surrogate(text: str) -> Surrogate | RelaxedSurrogate:
    """Read the value of ``--prune``.

    Raises
    ------
    InvalidOptionError
        The text is of none of the forms, the method is unknown, or a rate is not in [0, 1).

    Examples
    --------
    >>> from netopt.problems.surrogate.options import parse_surrogate
    >>> [pruning.label for pruning in parse_surrogate("ladder:magnitude:0.9,0.5").rungs]
    ['magnitude:0.9', 'magnitude:0.5']
    >>> parse_surrogate("domain-aware:0.8").exact
    False
    """
    check_kind(text, str, "prune", _FORMS)
    head, colon, rest = text.strip().partition(":")
    if head == _RELAXED:
        return RelaxedSurrogate(_rate(text, rest) if colon else None)
    if head != _LADDER:
        from netopt.pruning.registry import parse_prune

        return Surrogate(rungs=(Pruning(*parse_prune(text.strip())),))
    if not colon:
        return Surrogate.ladder()
    method, colon, rates = rest.rpartition(":")
    return Surrogate.ladder([_rate(text, part) for part in rates.split(",")], method if colon else DEFAULT_METHOD)


def as_surrogate(prune: Surrogate | RelaxedSurrogate | str | None) -> Surrogate | RelaxedSurrogate | None:
    """Return what a caller's ``prune`` stands for."""
    if isinstance(prune, str):
        return parse_surrogate(prune)
    if prune is not None:
        check_kind(prune, (Surrogate, RelaxedSurrogate), "prune", 'give a Surrogate, or a text such as "ladder"')
    return prune


def _rate(text: str, part: str) -> float:
    """Return a rate of the text."""
    try:
        rate = float(part)
    except ValueError:
        raise InvalidOptionError(f"prune is {text!r}, where {part!r} is not a rate; {_FORMS}") from None
    if not 0.0 <= rate < 1.0:
        raise InvalidOptionError(f"prune is {text!r} with the rate {part}; a rate is the fraction removed, in [0, 1)")
    return rate
