"""Figures of the experiments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")

from matplotlib import pyplot as plt  # the back end must be chosen first


def time_scatter(times: pd.DataFrame, methods: Sequence[str], limit: float, path: Path, title: str) -> None:
    """Draw dense time against each method's, both logarithmic; times not found lie on the dashed limits."""
    figure, axes = plt.subplots(figsize=(5.2, 5.0))
    low = limit
    for method, marker in zip(methods, "osD^vP*X", strict=False):
        pair = times[["dense", method]].dropna()
        pair = pair[np.isfinite(pair).any(axis=1)].clip(lower=1e-3, upper=limit)
        low = min(low, float(pair.min().min())) if len(pair) else low
        axes.scatter(pair[method], pair["dense"], s=18, marker=marker, alpha=0.7, label=method)
    span = [low / 1.5, limit * 1.5]
    axes.plot(span, span, color="grey", linewidth=0.8)
    axes.axhline(limit, color="grey", linestyle="--", linewidth=0.8)
    axes.axvline(limit, color="grey", linestyle="--", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlim=span, ylim=span, title=title)
    axes.set_xlabel("surrogate: seconds to the first dense-adversarial point")
    axes.set_ylabel("dense MILP: seconds")
    axes.legend(fontsize=7)
    _save(figure, path)


def time_profile(times: pd.DataFrame, methods: Sequence[str], limit: float, path: Path, title: str) -> None:
    """Draw the share of instances each method has found after a time; instances nobody found are left out."""
    ran = times[[method for method in methods if method in times.columns]].dropna()
    ran = ran[np.isfinite(ran).any(axis=1)]
    figure, axes = plt.subplots(figsize=(5.6, 4.0))
    for method in ran.columns:
        found = np.sort(ran[method][np.isfinite(ran[method])].clip(lower=1e-3))
        share = np.arange(1, found.size + 1) / max(len(ran), 1)
        axes.step([*found, limit], [*share, share[-1] if share.size else 0.0], where="post", label=method)
    axes.set(xscale="log", ylim=(0.0, 1.02), title=title)
    axes.set_xlabel("seconds")
    axes.set_ylabel(f"share of {len(ran)} instances found")
    axes.legend(fontsize=7)
    _save(figure, path)


def value_profile(relative: pd.DataFrame, methods: Sequence[str], path: Path, title: str) -> None:
    """Draw on which share of the instances a method reaches at least a share of the best value."""
    figure, axes = plt.subplots(figsize=(7.2, 4.0))
    grid = np.linspace(0.0, 1.02, 400)
    for method in methods:
        if method in relative.columns and relative[method].notna().any():
            column = relative[method].dropna().to_numpy()
            axes.plot(grid, (column[:, None] >= grid - 1e-9).mean(axis=0), label=method)
    axes.set(ylim=(0.0, 1.02), title=title)
    axes.set_xlabel("(v - v at the centre) / (best single method - v at the centre)")
    axes.set_ylabel(f"share of {len(relative)} instances")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=150, metadata={"Software": None})
    plt.close(figure)
