"""What every solver is told, in one vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class SolverParameters:
    """Limits and tolerances of one solve.

    Attributes
    ----------
    time_limit : seconds for the whole call; None is no limit.
    threads : number of threads.
    seed : random seed.
    relative_gap, absolute_gap : stop as optimal when the gap is below either.
    objective_limit : stop as soon as an incumbent is at least this good (>= when maximizing, <= when minimizing).
    bound_limit : stop as soon as the dual bound proves that nothing better than this exists (<= when maximizing).
    node_limit : None is no limit.
    plain : search without the vendor's cuts and sub-MIP heuristics, for models with dense rows and small trees, as
        networks have. A vendor that has no switch for one keeps it; `options` comes last.
    log : let the vendor print to stderr.
    options : the vendor's own options by the vendor's names; an unknown name or a bad value is refused.
    """

    time_limit: float | None = None
    threads: int = 1
    seed: int = 0
    relative_gap: float = 1e-4
    absolute_gap: float = 1e-6
    objective_limit: float | None = None
    bound_limit: float | None = None
    node_limit: int | None = None
    plain: bool = False
    log: bool = False
    options: Mapping[str, bool | int | float | str] = field(default_factory=lambda: MappingProxyType({}))

    def __reduce__(self) -> tuple[Any, ...]:  # a mapping proxy cannot be pickled
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return _restore, (values | {"options": dict(self.options)},)


def _restore(values: dict[str, Any]) -> SolverParameters:
    return SolverParameters(**values)
