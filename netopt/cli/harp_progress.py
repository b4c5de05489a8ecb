"""How far a HARP training is: a bar with losses on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netopt.pruning.harp.state import Epoch


@contextmanager
def epoch_bar(total: int, before: int, *, quiet: bool) -> Iterator[Callable[[Epoch], None]]:
    """Yield what is to be called after every epoch; `before` of the `total` epochs ran in an earlier call."""
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
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    everything = 10.0**9  # seconds: the ETA's window is the whole training
    with Progress(
        *columns, console=console, disable=quiet or not console.is_terminal, speed_estimate_period=everything
    ) as bar:
        line = bar.add_task("first epoch", total=total, completed=before)

        def show(epoch: Epoch) -> None:
            text = f"{epoch.stage} {epoch.epoch + 1}  loss {epoch.loss:.4f}  right under attack {epoch.right:.1%}"
            if epoch.rates:
                text += f"  L_hw {epoch.hardware_loss:.3f}  gamma {epoch.gamma:g}"
            bar.update(line, advance=1, description=text)

        yield show
