"""Progress of a campaign on standard error: a bar with an ETA on a terminal, failures as lines anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netopt.cli.count_bar import count_bar

if TYPE_CHECKING:
    from netopt.campaign.campaign import Progress


@contextmanager
def shown(quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """Yield a callback for `run_campaign` that shows how far it is and prints the first failure of each setting."""
    failed: set[str] = set()
    with count_bar(quiet=quiet) as bar:
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
                bar.console.print(failure, markup=False, highlight=False, soft_wrap=True)

        yield show
