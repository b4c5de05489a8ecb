"""Times of work on a GPU by its own events: of whole calls, and of every kernel in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from netopt.gpu.kernels import Kernels

_WARM_UPS = 3


def call_seconds(cupy: Any, work: Callable[[], object], repeats: int) -> float:
    """Return the median time between events before and after a call: the host's part counts where it is slower."""
    for _ in range(_WARM_UPS):
        work()
    return median(_elapsed(cupy, work) for _ in range(repeats))


def kernel_seconds(cupy: Any, work: Callable[[], object], repeats: int) -> dict[str, float]:
    """Return the median time of each kernel in a call; kernels that run several times are added up."""
    work()
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(repeats):
        with _recorded(cupy) as events:
            work()
        cupy.cuda.Device().synchronize()
        sums: dict[str, float] = defaultdict(float)
        for name, begin, end in events:
            sums[name] += cupy.cuda.get_elapsed_time(begin, end) / 1e3
        for name, seconds in sums.items():
            found[name].append(seconds)
    return {name: median(seconds) for name, seconds in found.items()}


def _elapsed(cupy: Any, work: Callable[[], object]) -> float:
    begin, end = cupy.cuda.Event(), cupy.cuda.Event()
    cupy.cuda.Device().synchronize()
    begin.record()
    work()
    end.record()
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(begin, end)) / 1e3


@contextmanager
def _recorded(cupy: Any) -> Iterator[list[tuple[str, Any, Any]]]:
    """Put an event before and after every launch."""
    events: list[tuple[str, Any, Any]] = []
    launch = Kernels.launch

    def recorded(self: Kernels, name: str, grid: Any, block: Any, arguments: Sequence[Any], shared: int = 0) -> None:
        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record()
        launch(self, name, grid, block, arguments, shared)
        end.record()
        events.append((name, begin, end))

    Kernels.launch = recorded  # type: ignore[method-assign]  # every module has its own Kernels
    try:
        yield events
    finally:
        Kernels.launch = launch  # type: ignore[method-assign]


def copy_bandwidth(cupy: Any, count: int = 1 << 27) -> float:
    """Return bytes read and written a second by a large copy on the device."""
    source = cupy.arange(count, dtype=cupy.float32)
    target = cupy.empty_like(source)
    return 2.0 * source.nbytes / call_seconds(cupy, lambda: cupy.copyto(target, source), 20)


def float_rate(cupy: Any) -> float:
    """Return float32 instructions a second at the clock the driver states; 64 or 128 a multiprocessor and cycle."""
    attributes = cupy.cuda.Device().attributes
    capability = (attributes["ComputeCapabilityMajor"], attributes["ComputeCapabilityMinor"])
    lanes = 64 if capability in ((7, 0), (7, 5), (8, 0)) else 128
    return float(lanes * attributes["MultiProcessorCount"] * attributes["ClockRate"] * 1e3)
