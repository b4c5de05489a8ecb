"""Draw the accuracy of tickets against the width: python benchmarks/tickets/classifiers/plot.py [results.csv]."""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import pandas as pd

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Write accuracy.svg beside the results."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "netopt"  # the same file every time
    from matplotlib import pyplot as plt

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=HERE / "results.csv")
    results = pd.read_csv(parser.parse_args().results)
    figure, axes = plt.subplots(figsize=(6.0, 3.6))
    for (network, dimension, scale), rows in results.groupby(["network", "dimension", "scale"]):
        ordered = rows.sort_values("width")
        kind = "one group of outputs" if dimension == 0 else f"dimensions to {dimension}"
        (line,) = axes.plot(
            ordered["width"], ordered["ticket_accuracy"], "o-", label=f"{network}, {kind}, scale {scale}"
        )
        axes.axhline(ordered["target_accuracy"].iloc[0], color=line.get_color(), linewidth=0.6, linestyle=":")
    axes.set_xscale("log", base=2)
    axes.set_xlabel("width n: random channels of each sign for an input channel")
    axes.set_ylabel("test accuracy, % (dotted: target)")
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(HERE / "accuracy.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
