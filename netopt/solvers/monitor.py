"""What happens during a solve, for every adapter: incumbents and bounds so far, and whether to stop and why."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from functools import partial

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination
from netopt.solvers.solver import BoundCallback, IncumbentCallback

#: A start that violates the model by no more than this counts as an incumbent.
_START_TOLERANCE = 1e-9


class Monitor:
    """Best incumbent and bound of one solve; adapters feed it from the vendor's callbacks.

    An exception in a caller's callback never travels through vendor code: it is kept, the solve is stopped, and
    `raise_callback_error` raises it afterwards.
    """

    def __init__(
        self,
        model: MilpModel,
        parameters: SolverParameters,
        on_incumbent: IncumbentCallback | None = None,
        on_bound: BoundCallback | None = None,
        interrupt: threading.Event | None = None,
    ) -> None:
        self.model = model
        self.parameters = parameters
        self.began = time.monotonic()
        self.primal_bound: float | None = None
        self.point: FloatArray | None = None
        self.dual_bound = unknown_bound(model)
        self.reason: Termination | None = None
        self._on_incumbent = on_incumbent
        self._on_bound = on_bound
        self._interrupt = interrupt
        self._error: BaseException | None = None
        self._closed = False

    @property
    def seconds(self) -> float:
        """Wall time since the call began."""
        return time.monotonic() - self.began

    @property
    def remaining(self) -> float:
        """Seconds left of the time limit; infinite without one."""
        limit = self.parameters.time_limit
        return math.inf if limit is None else max(0.0, limit - self.seconds)

    def better(self, value: float, than: float) -> bool:
        """Return whether an objective value is strictly better than another."""
        return value > than if self.model.maximize else value < than

    def offer_start(self, start: FloatArray | None) -> None:
        """Keep the caller's start as the first incumbent if it is feasible; the caller is not told of it."""
        if start is not None and self.model.violation(start) <= _START_TOLERANCE:
            self._keep(self.model.objective_value(start), start)

    def incumbent(self, point: FloatArray) -> None:
        """Note a feasible point found by the solver."""
        value = self.model.objective_value(point)
        if (
            self._closed
            or not math.isfinite(value)
            or (self.primal_bound is not None and not self.better(value, self.primal_bound))
        ):
            return
        self._keep(value, point)
        if self._on_incumbent is not None and self._error is None:
            self._guarded(partial(self._on_incumbent, value, point))

    def _keep(self, value: float, point: FloatArray) -> None:
        self.primal_bound, self.point = value, point
        target = self.parameters.objective_limit
        if target is not None and not self.better(target, value):
            self.stop(Termination.OBJECTIVE_LIMIT)

    def bound(self, value: float) -> None:
        """Note a dual bound proved by the solver."""
        if self._closed or math.isnan(value) or not self.better(self.dual_bound, value):
            return
        self.dual_bound = value
        if self._on_bound is not None and self._error is None:
            self._guarded(partial(self._on_bound, value))
        if self.reaches_bound_limit(value):
            self.stop(Termination.BOUND_LIMIT)

    def _guarded(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except KeyboardInterrupt:
            self.interrupt()
        except BaseException as error:  # noqa: BLE001 - re-raised by raise_callback_error, outside vendor code
            self._error = error
            self.stop(Termination.ERROR)

    def reaches_bound_limit(self, value: float) -> bool:
        """Return whether a dual bound is at or past the limit asked for."""
        limit = self.parameters.bound_limit
        return limit is not None and not self.better(value, limit)

    def stop(self, reason: Termination) -> None:
        """Ask the solve to end; the first reason counts."""
        if self.reason is None:
            self.reason = reason

    def interrupt(self) -> None:
        """Ask the solve to end because of Ctrl-C; the caller's event is set too, so that it need not go on."""
        self.stop(Termination.INTERRUPTED)
        if self._interrupt is not None:
            self._interrupt.set()

    def should_stop(self) -> bool:
        """Return whether the solve should end: asked to, interrupted or out of time."""
        if self.reason is None:
            if self._interrupt is not None and self._interrupt.is_set():
                self.stop(Termination.INTERRUPTED)
            elif self.remaining <= 0.0:
                self.stop(Termination.TIME_LIMIT)
        return self.reason is not None

    def close(self) -> None:
        """End the solve: a vendor that still calls while it frees its memory is not heard."""
        self._closed = True

    def raise_callback_error(self) -> None:
        """Raise what a caller's callback raised, if anything."""
        if self._error is not None:
            raise self._error


def unknown_bound(model: MilpModel) -> float:
    """Return the dual bound of a model of which nothing is known."""
    return math.inf if model.maximize else -math.inf
