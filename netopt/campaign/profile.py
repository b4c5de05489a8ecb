"""The performance profile of a campaign's settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netopt.arrays import FloatArray
from netopt.campaign.summary import PROBLEM
from netopt.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def performance_ratios(table: pd.DataFrame) -> tuple[list[str], FloatArray]:
    """Return the settings and, one row a problem that each of them ran, time over the best setting's time.

    An unsolved run has the ratio infinity (Dolan, More, "Benchmarking optimization software with performance
    profiles", Mathematical Programming 91, 2002).

    Parameters
    ----------
    table : from `netopt.campaign.summary.scored`.

    Returns
    -------
    settings : names, sorted.
    ratios : (problems, settings), at least 1.

    Raises
    ------
    InputError
        No problem was run under every setting.
    """
    times = table.assign(time=table["charged"].where(table["solved"], np.inf))
    wide = times.pivot(index=PROBLEM, columns="setting", values="time").dropna()
    if wide.empty:
        raise InputError("no problem was run under every setting, so there is no profile; finish the campaign first")
    values = wide.to_numpy(dtype=float)
    best = values.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        ratios = np.where(np.isfinite(values), values / best, np.inf)
    return [str(name) for name in wide.columns], ratios


def plot_profile(table: pd.DataFrame, path: Path) -> None:
    """Draw the share of problems each setting solves within a factor of the fastest, into the file `path`.

    Raises
    ------
    InputError
        matplotlib is not installed, cannot write this kind of file, or there is nothing to draw.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogFormatter
    except ImportError as error:
        raise InputError("a plot needs matplotlib; install netopt[plot]") from error

    settings, ratios = performance_ratios(table)
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    finite = ratios[np.isfinite(ratios)]
    end = 1.1 * float(finite.max(initial=1.0))
    for name, column in zip(settings, ratios.T, strict=True):
        steps = np.sort(column[np.isfinite(column)])
        share = np.arange(1, steps.size + 1) / column.size
        axes.step([1.0, *steps, end], [0.0, *share, share[-1] if share.size else 0.0], where="post", label=name)
    axes.set(xscale="log", xlim=(1.0, end), ylim=(0.0, 1.02), xlabel="time / time of the fastest setting")
    axes.xaxis.set_major_formatter(LogFormatter())  # 1, 2, 5 in place of powers of ten
    axes.xaxis.set_minor_formatter(LogFormatter())
    axes.set_ylabel(f"share of {len(ratios)} problems solved")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right")
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise InputError(f"the plot {path} cannot be written: {error}") from error
