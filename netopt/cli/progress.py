"""The line on standard error that says how far a call is; only on a terminal, and never with ``--quiet``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netopt.problems.run import Progress, ProgressCallback


@contextmanager
def progress_line(what: str, *, quiet: bool) -> Iterator[ProgressCallback | None]:
    """Yield the callback that keeps the line up to date, or None where nothing is to be shown."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:

        def show(progress: Progress, /) -> None:
            status.update(
                f"{what}  {progress.stage}  {progress.seconds:.1f} s"
                f"  primal bound {_short(progress.primal_bound)}  dual bound {_short(progress.dual_bound)}"
            )

        yield show


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
