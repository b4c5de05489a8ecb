"""A picture of what HARP learned: the share that every layer keeps, and how training got there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from netopt.errors import InputError
from netopt.pruning.harp.result import HarpResult


def check_picture(path: Path) -> None:
    """Check that a picture can be drawn, before there is one.

    Raises
    ------
    InputError
        matplotlib is not installed, or writes no such file.
    """
    supported = _canvas().get_supported_filetypes()
    if path.suffix.removeprefix(".").lower() not in supported:
        raise InputError(
            f"{path} names no kind of picture that can be drawn; end it with .{', .'.join(sorted(supported))}"
        )


def draw_rates(result: HarpResult, path: Path) -> None:
    """Draw the rates of the layers, at the end and epoch by epoch.

    Raises
    ------
    InputError
        matplotlib is not installed, or the file cannot be written.
    """
    canvas = _canvas()
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter

    figure = Figure(figsize=(10.0, 4.0), layout="constrained")
    canvas(figure)
    bars, lines = figure.subplots(1, 2)
    places = np.arange(len(result.rates))
    bars.bar(places, list(result.rates.values()))
    bars.set_xticks(places, list(result.rates), rotation=45, ha="right")
    bars.set(title="kept in the end")
    learned = [epoch for epoch in result.history if epoch.rates]
    numbers = np.arange(1, len(learned) + 1)
    for name, shares in zip(result.rates, zip(*(epoch.rates for epoch in learned), strict=True), strict=False):
        lines.plot(numbers, shares, marker=".", label=name)
    lines.set(title="while rates are learned", xlabel="epoch")
    lines.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (bars, lines):
        axes.axhline(result.keep, color="black", linestyle="--", label="target for all layers together")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylabel("share kept")
        axes.grid(visible=True, axis="y", alpha=0.3)
    lines.legend(fontsize="small")
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise InputError(f"the picture {path} cannot be written ({error}); choose another file") from error


def _canvas() -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError as error:
        raise InputError("a picture needs matplotlib; install netopt[plot]") from error
    return FigureCanvasAgg
