"""Print the README's table: bounds as a share of the way from CROWN to dense, and times to `unsat`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
KEY = ["network", "domain", "radius", "image", "solver"]


def main() -> None:
    """Print one line a method."""
    rows = pd.read_csv(HERE / "results.csv")
    bound = rows.pivot_table(index=KEY, columns="method", values="bound")
    seconds = rows.pivot_table(index=KEY, columns="method", values="seconds")
    proved = rows.assign(proved=rows["bound"] < -1e-6).pivot_table(index=KEY, columns="method", values="proved")
    robust = proved["dense"] > 0.0
    print(f"{len(bound)} instances, {int(robust.sum())} proved by the dense model\n")
    print("| method | median share of the way from CROWN to the dense bound | proved | time / dense where both prove |")
    print("|---|---|---|---|")
    for method in bound.columns.drop("crown"):
        way = (bound["crown"] - bound[method]) / (bound["crown"] - bound["dense"])
        both = robust & (proved[method] > 0.0)
        ratio = np.exp(np.log(seconds[method][both] / seconds["dense"][both]).mean()) if both.any() else np.nan
        print(f"| {method} | {way.median():.2f} | {int(both.sum())} | {'-' if np.isnan(ratio) else f'{ratio:.2f}'} |")


if __name__ == "__main__":
    main()
