"""Progress of a campaign on standard error: a bar with an ETA on a terminal, failures as lines anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from netopt.campaign.campaign import Progress


@contextmanager
def shown(quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """Yield a callback for `run_campaign` that shows how far it is.

    The ETA rests on the mean time of all runs finished in this call. The first failure of each setting is printed.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    everything = 10.0**9  # seconds: the ETA's window is the whole campaign
    hidden = quiet or not console.is_terminal
    failed: set[str] = set()
    with Bar(*columns, console=console, disable=hidden, speed_estimate_period=everything) as bar:
        line = bar.add_task("")

        def show(progress: Progress) -> None:
            row = progress.row
            if row is None:
                bar.reset(line, total=progress.total - progress.before, description=f"{progress.before} done before")
                return
            bar.update(line, advance=1, description=f"{row['setting']}: {row['vnnlib'] or row['onnx']} {row['status']}")
            if row["status"] == "error" and row["setting"] not in failed and not quiet:
                failed.add(row["setting"])
                failure = f"{row['setting']} failed on {row['onnx']} {row['vnnlib']}: {row['error']}"
                console.print(failure, markup=False, highlight=False, soft_wrap=True)

        yield show
