"""What the levels that need a solver have in common: one neuron, two sides, the one nearer zero first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from netopt.arrays import FloatArray
from netopt.tightening.parallel import Stop, Work
from netopt.tightening.subproblem import Subproblem

#: Called with (neuron, side): returns a sound lower bound of ``side * value``.
Minimize = Callable[[int, float], float]


@dataclass(slots=True, eq=False)
class Bounder(ABC):
    """Tightens the bounds of a subproblem's values.

    Attributes
    ----------
    lower, upper : (size,) what is known; tightened in place, each entry by one thread.
    by_sign : whether a value is left alone once its sign is decided.
    stop : asked before and during solves.
    """

    subproblem: Subproblem
    lower: FloatArray
    upper: FloatArray
    by_sign: bool
    stop: Stop

    @abstractmethod
    def minimizer(self) -> Minimize:
        """Return the work of one thread."""

    def worker(self) -> Work:
        """Return a function that bounds one value, and tells whether it had the time for it."""
        minimize = self.minimizer()

        def bound(neuron: int) -> bool:
            nearer = 1.0 if -self.lower[neuron] <= self.upper[neuron] else -1.0
            for side in (nearer, -nearer):
                self._store(neuron, side, minimize(neuron, side))
                if self.stop():
                    return False
                if self.by_sign and (self.lower[neuron] >= 0.0 or self.upper[neuron] <= 0.0):
                    break
            return True

        return bound

    def _store(self, neuron: int, side: float, bound: float) -> None:
        """Keep ``side * value >= bound`` if it is tighter than what is known."""
        if side > 0.0:
            self.lower[neuron] = max(self.lower[neuron], bound)
        else:
            self.upper[neuron] = min(self.upper[neuron], -bound)
