"""What `verify` and `maximize` answer. Both write the same JSON object; ``result.schema.json`` describes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from netopt.arrays import FloatArray
from netopt.problems.run import Halt

#: Version of the JSON object.
SCHEMA = 1
#: `optimal` means a gap of at most max(ABSOLUTE_GAP, RELATIVE_GAP |primal|).
ABSOLUTE_GAP = 1e-6
RELATIVE_GAP = 1e-4


class VerificationStatus(StrEnum):
    """The verdict on a property."""

    SAT = "sat"  # `witness` satisfies the property, replayed in float64 and in onnxruntime
    UNSAT = "unsat"  # no input satisfies it, by the dual bound
    UNKNOWN = "unknown"  # nothing may be concluded; the notices say why
    TIMEOUT = "timeout"  # the time limit was reached first


class MaximizationStatus(StrEnum):
    """What is known of a maximum (or minimum)."""

    OPTIMAL = "optimal"  # the gap between the replayed point and the proven bound is closed
    FEASIBLE = "feasible"  # a point and a bound are known, the gap between them is open
    INFEASIBLE = "infeasible"  # the domain is empty
    TIMEOUT = "timeout"  # the time limit was reached; the point and the bound so far are given
    UNKNOWN = "unknown"  # no point is known


@dataclass(frozen=True, slots=True, eq=False)
class Witness:
    """An input and the network's output there.

    Attributes
    ----------
    x : (n,) exactly representable in float32 when it decides a verdict.
    y : (m,) from onnxruntime on the original file where there is one, else from `Network.forward`.
    """

    x: FloatArray
    y: FloatArray

    def to_json(self) -> dict[str, list[float]]:
        """Return ``{"x": [...], "y": [...]}``."""
        return {"x": self.x.tolist(), "y": self.y.tolist()}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Result:
    """What both results hold.

    Attributes
    ----------
    network_sha256 : the network the answer is about; None when the call ended before it was read.
    primal_bound : best replayed value; None without a point.
    dual_bound : proven bound; None when nothing is proven.
    stages : what was done: name, seconds and sizes.
    proved_by : the methods the dual bound rests on, e.g. ``("crown", "HiGHS 1.12.0")``.
    notices : sentences a reader has to know.
    halted : why the call ended before its work was done, None when it did not.
    seconds : wall time of the call.
    origin : what found the best point: a stage, or a pruned network (followed by "improved" where the point was
        improved on the dense network); None without a point.
    """

    network_sha256: str | None
    primal_bound: float | None = None
    dual_bound: float | None = None
    witness: Witness | None = None
    stages: tuple[dict[str, Any], ...] = ()
    proved_by: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    halted: Halt | None = None
    seconds: float = 0.0
    origin: str | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the caller ended the call (Ctrl-C or the interrupt event)."""
        return self.halted is Halt.INTERRUPTED

    @property
    def gap(self) -> float | None:
        """Return |dual - primal| / max(|primal|, 0.01), so that ``gap <= 1e-4`` is the rule of `optimal`."""
        if self.primal_bound is None or self.dual_bound is None:
            return None
        scale = max(abs(self.primal_bound), ABSOLUTE_GAP / RELATIVE_GAP)
        return abs(self.dual_bound - self.primal_bound) / scale

    def _common_json(self, command: str, status: str) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "command": command,
            "status": status,
            "network_sha256": self.network_sha256,
            "primal_bound": _finite(self.primal_bound),
            "dual_bound": _finite(self.dual_bound),
            "gap": _finite(self.gap),
            "witness": None if self.witness is None else self.witness.to_json(),
            "stages": [dict(stage) for stage in self.stages],
            "proved_by": list(self.proved_by),
            "notices": list(self.notices),
            "interrupted": self.interrupted,
            "seconds": self.seconds,
            "origin": self.origin,
        }


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VerificationResult(_Result):
    """The answer of `verify`. Bounds are on t, the largest over all disjuncts of the smallest normalised slack.

    Attributes
    ----------
    status : the verdict.
    margin : for `unsat`, -dual_bound: how far the property is from being satisfied, in normalised slack.
    near_witness : for `unknown`, a point that satisfies the property within 1e-4 only.
    confirmed_by : the solver that repeated the proof, None without one.
    """

    status: VerificationStatus
    near_witness: Witness | None = None
    confirmed_by: str | None = None

    @property
    def margin(self) -> float | None:
        """For `unsat`, the proven distance of the best slack from zero; None otherwise."""
        if self.status is not VerificationStatus.UNSAT or self.dual_bound is None:
            return None
        return -self.dual_bound

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of schema 1."""
        return self._common_json("verify", self.status.value) | {
            "margin": _finite(self.margin),
            "near_witness": None if self.near_witness is None else self.near_witness.to_json(),
            "confirmed_by": self.confirmed_by,
        }


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MaximizationResult(_Result):
    """The answer of `maximize`; bounds are in the caller's sense (when minimizing, dual_bound <= primal_bound).

    Attributes
    ----------
    status : what is known.
    minimize : the sense.
    weights : (m,) the linear function of the outputs.
    """

    status: MaximizationStatus
    minimize: bool = False
    weights: FloatArray = field(default_factory=lambda: np.empty(0))

    @property
    def x(self) -> FloatArray | None:
        """The best input known, (n,)."""
        return None if self.witness is None else self.witness.x

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of schema 1."""
        extra = {"sense": "minimize" if self.minimize else "maximize", "weights": self.weights.tolist()}
        return self._common_json("maximize", self.status.value) | extra


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: an unknown bound is null."""
    return None if value is None or not math.isfinite(value) else float(value)
