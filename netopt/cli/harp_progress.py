"""How far a HARP training is: a bar with losses on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netopt.cli.count_bar import count_bar

if TYPE_CHECKING:
    from netopt.pruning.harp.state import Epoch


@contextmanager
def epoch_bar(
    total: int, before: int, *, quiet: bool
) -> Iterator[tuple[Callable[[Epoch], None], Callable[[float, float], None]]]:
    """Yield what is to be called after every epoch and after every step; `before` epochs ran in an earlier call."""
    with count_bar(quiet=quiet, width=20) as bar:
        line = bar.add_task("", total=total, completed=before)
        done, last = before, ""

        def after_epoch(epoch: Epoch) -> None:
            nonlocal done, last
            text = f"{epoch.stage} {epoch.epoch + 1}  loss {epoch.loss:.4f}  right under attack {epoch.right:.1%}"
            if epoch.rates:
                text += f"  L_hw {epoch.hardware_loss:.3f}  gamma {epoch.gamma:g}"
            done, last = done + 1, text
            bar.update(line, completed=done, description=text)

        def after_step(share: float, loss: float) -> None:
            bar.update(line, completed=done + share, description=last or f"loss {loss:.4f}")

        yield after_epoch, after_step
