"""A solver at work in a thread, its incumbents handled as they come, and something useful done between them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from formulations.milp import MilpModel
from netopt.arrays import FloatArray
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import SolverResult
from netopt.solvers.solver import MilpSolver

#: Seconds to wait for an incumbent when there is nothing else to do.
_PATIENCE = 0.05


class Watch:
    """One solve whose incumbents are handled in the caller's thread.

    Parameters
    ----------
    solver : a `ChildSolver`, so that it goes on while incumbents are handled.
    """

    def __init__(
        self, solver: MilpSolver, model: MilpModel, parameters: SolverParameters, start: FloatArray | None
    ) -> None:
        self._points: queue.SimpleQueue[FloatArray] = queue.SimpleQueue()
        self._interrupt = threading.Event()
        self._result: SolverResult | None = None
        self._error: BaseException | None = None
        self.dual_bound: float | None = None

        def note_bound(bound: float) -> None:
            self.dual_bound = bound

        def work() -> None:
            try:
                self._result = solver.solve(
                    model,
                    parameters,
                    start=start,
                    on_incumbent=lambda _, point: self._points.put(point),
                    on_bound=note_bound,
                    interrupt=self._interrupt,
                )
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                self._error = error

        self._thread = threading.Thread(target=work, name="surrogate-solve", daemon=True)

    @property
    def news(self) -> bool:
        """Whether an incumbent waits, or the solver has ended."""
        return not self._points.empty() or not self._thread.is_alive()

    def run(
        self, handle: Callable[[FloatArray], None], idle: Callable[[], bool], finished: Callable[[], bool]
    ) -> SolverResult:
        """Solve; return the solver's answer once every incumbent was handled.

        Parameters
        ----------
        handle : called with each incumbent.
        idle : does a bit of work between incumbents and returns whether there was any.
        finished : once it says so, the solver is asked to stop.
        """
        self._thread.start()
        try:
            while self._thread.is_alive() or not self._points.empty():
                self._take(handle, idle)
                if finished():
                    self._interrupt.set()
        finally:
            self._interrupt.set()
            self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def _take(self, handle: Callable[[FloatArray], None], idle: Callable[[], bool]) -> None:
        if self._points.empty() and idle():
            return
        try:
            point = self._points.get(timeout=_PATIENCE)
        except queue.Empty:
            return
        handle(point)
