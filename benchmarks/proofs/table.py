"""Print the table of ``run.py`` by benchmark: ``table.py results.csv``."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd


def main() -> None:
    """Print one line a benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    table = pd.read_csv(parser.parse_args().results)
    print("| benchmark | proofs | valid | trusting | file, kB | search, s | check, s | parts checked |")
    print("|---|---|---|---|---|---|---|---|")
    for name, rows in table[table["check"].notna()].groupby("benchmark"):
        counts = [int((rows["check"] == status).sum()) for status in ("valid", "trusting")]
        spread = [_spread(rows[column]) for column in ("search_seconds", "check_seconds", "parts")]
        print(f"| {name} | {len(rows)} | {counts[0]} | {counts[1]} | {_spread(rows['bytes'] / 1e3)} | ", end="")
        print(" | ".join(spread) + " |")


def _spread(values: pd.Series[float]) -> str:
    return f"{values.median():.3g} ({values.min():.3g} … {values.max():.3g})"


if __name__ == "__main__":
    main()
