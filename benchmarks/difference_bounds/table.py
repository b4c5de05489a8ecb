"""Print the tables of README.md from results.csv and correction.csv."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
#: A bound counts as better when it is lower by this.
LEAST = 1e-3


def summary(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return, per group: how often the transferred bound wins at equal time, and how far it gets."""
    gap = np.maximum(rows["crown"] - rows["dense"], 1e-9)
    table = rows.assign(
        **{
            "beats CROWN": rows["bound"] < rows["crown"] - LEAST,
            "beats both": rows["bound"] < rows["dense_then"] - LEAST,
            "ahead at 0.5 s": rows["ahead_at_half_second"],
            "ahead at the limit": rows["bound"] < rows["dense"] - LEAST,
            "closed": ((rows["crown"] - rows["bound"]) / gap).clip(0.0, 2.0),
            "dense closed": ((rows["crown"] - rows["dense_then"]) / gap).clip(0.0, 2.0),
            "gain": ((rows["dense_then"] - rows["bound"]) / gap).where(rows["bound"] < rows["dense_then"] - LEAST),
        }
    )
    columns = ["beats CROWN", "beats both", "ahead at 0.5 s", "ahead at the limit"]
    grouped = table.groupby(keys, sort=False)
    counts = grouped[columns].sum().astype(str) + "/" + grouped.size().to_frame().to_numpy().astype(str)
    middle = grouped[["closed", "dense closed", "gain", "seconds"]].median().round(2)
    return counts.join(middle)


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown."""
    flat = table.reset_index()
    lines = [list(map(str, flat.columns)), ["---"] * flat.shape[1], *flat.map(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def main() -> None:
    """Print all tables."""
    rows = pd.read_csv(HERE / "results.csv")
    rows = rows[rows["crown"] - rows["dense"] > LEAST]  # where CROWN is the optimum nothing can be gained
    print(markdown(summary(rows, ["method", "rate", "form"])))
    best = rows[(rows["method"] == "domain-aware") & (rows["form"] == "neurons")]
    print(markdown(summary(best, ["network", "rate"])))
    print(markdown(summary(best, ["domain", "rate"])))
    points = pd.read_csv(HERE / "correction.csv")
    difference = points["corrected"] - points["plain"]
    scale = np.maximum(points["plain"] - points["center"], 1e-9)
    table = pd.DataFrame(
        {
            "rate": points["rate"],
            "better": difference > LEAST,
            "worse": difference < -LEAST,
            "relative": difference / scale,
        }
    ).groupby("rate")
    print(markdown(table[["better", "worse"]].sum().join(table["relative"].median().round(3).rename("median gain"))))


if __name__ == "__main__":
    main()
