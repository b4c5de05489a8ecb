"""A bar on standard error that counts what is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def count_bar(*, quiet: bool, width: int = 40) -> Progress:
    """Return a bar `width` characters long with an ETA and a description; hidden where there is no terminal.

    The ETA rests on the mean time of all that was done in this call.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        BarColumn(bar_width=width),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    everything = 10.0**9  # seconds: the ETA's window is the whole call
    return Progress(
        *columns, console=console, disable=quiet or not console.is_terminal, speed_estimate_period=everything
    )
