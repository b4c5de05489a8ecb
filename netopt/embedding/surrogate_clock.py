"""The time a surrogate solve has."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Clock:
    """When the call began and when it must end."""

    began: float
    deadline: float

    @property
    def seconds(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self.began

    @property
    def left(self) -> float:
        """Seconds left, infinite without a limit."""
        return max(0.0, self.deadline - time.monotonic())

    def over(self) -> bool:
        """Whether the time is up."""
        return self.left <= 0.0
